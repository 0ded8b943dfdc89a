// Package product has the settings of the product: names, buckets, retention. product.env states
// them with their meaning.
package product

import (
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

//go:embed product.env
var text string

// Settings are the settings of the product. {name} in Origin and in a bucket stands for the name of
// the log.
type Settings struct {
	Data, Name                                         string
	Origin, SnapshotBucket, OffloadBucket, AuditBucket string
	Retention                                          time.Duration
	Lock                                               string // COMPLIANCE or GOVERNANCE
	Source                                             string
}

// Defaults are the settings of product.env.
var Defaults = mustParse(text)

func mustParse(text string) Settings {
	s, err := Parse(text)
	if err != nil {
		panic(err) // the file is a part of the program
	}
	return s
}

// Parse reads the text of a product.env. Each setting stands there once. The error names the line.
func Parse(text string) (Settings, error) {
	var s Settings
	var retention string
	fields := map[string]*string{
		"DATA": &s.Data, "NAME": &s.Name, "ORIGIN": &s.Origin, "SOURCE": &s.Source,
		"SNAPSHOT_BUCKET": &s.SnapshotBucket, "OFFLOAD_BUCKET": &s.OffloadBucket,
		"AUDIT_BUCKET": &s.AuditBucket, "RETENTION": &retention, "LOCK": &s.Lock,
	}
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		name, value, _ := strings.Cut(line, "=")
		field := fields[name]
		if field == nil || *field != "" || value == "" {
			return s, fmt.Errorf("product.env:%d: %q: want %s, each once, with =value", n, line,
				strings.Join(slices.Sorted(maps.Keys(fields)), ", "))
		}
		*field = value
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if *fields[name] == "" {
			return s, fmt.Errorf("product.env: %s is missing", name)
		}
	}
	var err error
	if s.Retention, err = time.ParseDuration(retention); err != nil || s.Retention <= 0 {
		return s, fmt.Errorf("product.env: RETENTION=%s: want a duration such as 24h", retention)
	}
	if s.Lock != "COMPLIANCE" && s.Lock != "GOVERNANCE" {
		return s, fmt.Errorf("product.env: LOCK=%s: want COMPLIANCE or GOVERNANCE", s.Lock)
	}
	return s, s.checkNames()
}

// checkNames refuses an origin or a bucket that two logs of one stack would share.
func (s Settings) checkNames() error {
	buckets := []string{s.SnapshotBucket, s.OffloadBucket, s.AuditBucket}
	for _, pattern := range append(buckets, s.Origin) {
		if strings.Count(pattern, "{name}") != 1 {
			return fmt.Errorf("product.env: %s: want {name} in it, once", pattern)
		}
	}
	if slices.Sort(buckets); len(slices.Compact(buckets)) != 3 {
		return fmt.Errorf("product.env: two buckets have one name")
	}
	return nil
}

// Of returns a pattern, such as Settings.Origin, for the log name.
func Of(pattern, name string) string { return strings.Replace(pattern, "{name}", name, 1) }
