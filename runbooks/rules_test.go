package runbooks

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"text/template"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

var update = flag.Bool("update", false, "rewrite monitoring/rules.yml")

// An objective is one entry of slo.yaml.
type objective struct {
	Name    string
	Says    string
	Percent float64 // of good events or good time
	Bad     string  // the share of bad events in $window
	Now     string  // or this: 1 while the time is bad, otherwise 0
	Runbook string  // a page of this folder, with the section that mends the cause
}

func objectives(t *testing.T) []objective {
	t.Helper()
	text, err := os.ReadFile("slo.yaml")
	require.NoError(t, err)
	var all struct {
		Period     string
		Objectives []objective
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	require.NoError(t, decoder.Decode(&all))
	require.Equal(t, "30d", all.Period, "the burn rates below are those of 30 days")
	return all.Objectives
}

// A burn is a pair of windows and the rate at which the error budget burns in both.
type burn struct {
	Long, Short string
	Rate        float64
}

// An urgency is the reaction to an alert. The numbers are those of the SRE Workbook, table 5-8: 2 %
// of the budget in an hour, 5 % in six hours; 10 % in a day, 10 % in three days.
type urgency struct {
	Suffix, Severity string
	Burns            []burn
}

var urgencies = []urgency{
	{"BurnsFast", "page", []burn{{"1h", "5m", 14.4}, {"6h", "30m", 6}}},
	{"BurnsSlowly", "ticket", []burn{{"1d", "2h", 3}, {"3d", "6h", 1}}},
}

var windows = []string{"5m", "30m", "1h", "2h", "6h", "1d", "3d"}

var rules = template.Must(template.New("").Funcs(template.FuncMap{
	"camel": camel,
	"ratio": func(o objective, window string) string {
		if o.Now != "" {
			return fmt.Sprintf("avg_over_time(slo:bad:now{slo=%q}[%s])", o.Name, window)
		}
		return strings.Join(strings.Fields(strings.ReplaceAll(o.Bad, "$window", window)), " ")
	},
	"limit": func(rate, percent float64) string {
		return fmt.Sprintf("%.4g", rate*(100-percent)/100)
	},
}).Parse(`# Made from ../slo.yaml by go test ./runbooks -run Rules -update. Do not edit.
groups:
{{- range $o := .Objectives}}
  - name: {{$o.Name}}
    rules:
{{- if $o.Now}}
      - record: slo:bad:now
        expr: {{$o.Now}}
        labels: {slo: {{$o.Name}}}
{{- end}}
{{- range $.Windows}}
      - record: slo:bad:ratio_{{.}}
        expr: {{ratio $o .}}
        labels: {slo: {{$o.Name}}}
{{- end}}
{{- range $u := $.Urgencies}}
      - alert: {{camel $o.Name}}{{$u.Suffix}}
        expr: >-
          {{- range $i, $b := $u.Burns}}
          {{- $limit := limit $b.Rate $o.Percent}}
          {{if $i}}or {{end}}slo:bad:ratio_{{$b.Long}}{slo="{{$o.Name}}"} > {{$limit}}
          and slo:bad:ratio_{{$b.Short}}{slo="{{$o.Name}}"} > {{$limit}}
          {{- end}}
        labels: {severity: {{$u.Severity}}}
        annotations:
          summary: "{{$o.Name}} burns its error budget: {{$o.Says}}"
          runbook: {{$o.Runbook}}
{{- end}}
{{- end}}
`))

// camel returns the beginning of the names of an objective's alerts.
func camel(name string) (camel string) {
	for part := range strings.SplitSeq(name, "-") {
		camel += strings.ToUpper(part[:1]) + part[1:]
	}
	return camel
}

// The rules of Prometheus are those that slo.yaml gives, and Prometheus accepts them.
func TestRulesFollowObjectives(t *testing.T) {
	t.Parallel()
	var want bytes.Buffer
	require.NoError(t, rules.Execute(&want, map[string]any{
		"Objectives": objectives(t), "Windows": windows, "Urgencies": urgencies}))
	const file = "monitoring/rules.yml"
	if *update {
		require.NoError(t, os.WriteFile(file, want.Bytes(), 0o644))
	}
	got, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, want.String(), string(got), "go test ./runbooks -run Rules -update")
	promtool(t, "check", "rules", file)
}

// Each alert fires for its cause, names the page that mends it, and ends with the cause.
func TestRulesFire(t *testing.T) {
	t.Parallel()
	promtool(t, "test", "rules", "monitoring/rules_test.yml")
	text, err := os.ReadFile("monitoring/rules_test.yml")
	require.NoError(t, err)
	for _, o := range objectives(t) {
		require.Contains(t, string(text), "slo: "+o.Name, "a test in which its alert fires")
	}
}

// The runbook of each objective is a section of a page in this folder. The section has commands
// that a test runs. The page names the alerts, and the table of pages leads from them to it.
func TestAlertsHaveRunbooks(t *testing.T) {
	t.Parallel()
	table, err := os.ReadFile("README.md")
	require.NoError(t, err)
	for _, o := range objectives(t) {
		page, section, found := strings.Cut(o.Runbook, "#")
		require.True(t, found, o.Runbook)
		text, err := os.ReadFile(page)
		require.NoError(t, err, o.Name)
		require.Regexp(t, "(?m)^```sh( |$)", sections(string(text))[section], o.Runbook)
		for _, u := range urgencies {
			require.Contains(t, string(text), "`"+camel(o.Name)+u.Suffix+"`", o.Runbook)
		}
		row := regexp.MustCompile("`" + camel(o.Name) + "…`.*\\]\\(" + regexp.QuoteMeta(page))
		require.Regexp(t, row, string(table))
	}
}

var heading = regexp.MustCompile(`(?m)^#+ (.*)$`)

// sections returns the text of each section of a page, by the anchor of its heading.
func sections(page string) map[string]string {
	all := map[string]string{}
	plain := fence.ReplaceAllStringFunc(page, func(block string) string {
		return strings.ReplaceAll(block, "\n#", "\n ") // a comment is no heading
	})
	found := heading.FindAllStringSubmatchIndex(plain, -1)
	for i, at := range found {
		end := len(page)
		if i+1 < len(found) {
			end = found[i+1][0]
		}
		anchor := strings.ReplaceAll(strings.ToLower(page[at[2]:at[3]]), " ", "-")
		all[anchor] = page[at[1]:end]
	}
	return all
}

// promtool runs Prometheus's tool. Only CI insists on it.
func promtool(t *testing.T, args ...string) string {
	t.Helper()
	program, err := filepath.Abs("../.tools/bin/promtool")
	require.NoError(t, err)
	if _, err := os.Stat(program); err != nil {
		if program, err = exec.LookPath("promtool"); err != nil {
			require.Empty(t, os.Getenv("BLOTTER_CI"), "promtool is missing")
			t.Skip("promtool is missing: .tools/setup promtool")
		}
	}
	out, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return string(out)
}
