package check

import "strings"

// plain takes testify's frame off a failure: what it says, after its message if it has one. Where in the suite it was said is left out, for
// who reads it looks for the rule, and the trace names files of this machine. Any other text stays as it is.
func plain(text string) string {
	if !strings.Contains(text, "\tError Trace:") {
		return text
	}
	parts := map[string][]string{}
	label := ""
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, " \t\n")
		if name, rest, ok := strings.Cut(strings.TrimPrefix(line, "\t"), ":"); ok && labels[name] {
			label, line = name, rest
		}
		parts[label] = append(parts[label], strings.TrimPrefix(strings.TrimLeft(line, " "), "\t"))
	}
	said := make([]string, 0, 8)
	for _, line := range append(parts["Messages"], parts["Error"]...) {
		if line = strings.TrimPrefix(strings.TrimLeft(line, " "), "\t"); line != "" {
			said = append(said, line)
		}
	}
	return strings.Join(said, "\n")
}

var labels = map[string]bool{"Error Trace": true, "Error": true, "Messages": true, "Test": true}
