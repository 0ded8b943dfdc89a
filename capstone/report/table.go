package report

import (
	"fmt"
	"strings"
)

// Table returns the rules of a rule set as a table in Markdown: its scope, its deadlines, and its
// fields. A field whose rule is not verified says so in the last column.
func Table(s RuleSet) string {
	var b strings.Builder
	b.WriteString("| no | name | format | element | source | verified |\n|-|-|-|-|-|-|\n")
	rules := []Field{{Number: "-", Name: "scope", Source: s.ScopeSource},
		{Number: "-", Name: "deadline", Source: s.DeadlineSource}}
	for i := range rules {
		rules[i].Unverified = strings.Contains(rules[i].Source, "unverified")
	}
	for _, f := range append(rules, s.Fields...) {
		verified := "yes"
		if f.Unverified {
			verified = "**unverified**"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n",
			f.Number, f.Name, f.Format, f.Element, f.Source, verified)
	}
	return b.String()
}

// AttributeTable returns Attributes as a table in Markdown.
func AttributeTable() string {
	var b strings.Builder
	b.WriteString("| attribute | of | meaning |\n|-|-|-|\n")
	for _, d := range Attributes {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", d.Name, strings.Join(d.Kinds, ", "), d.Meaning)
	}
	return b.String()
}
