package check

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The table is rewritten, and the text around it stays. A check without its words, its rule or its
// place in the guide is an error that names it.
func TestGuideHasTheTableOfItsSuite(t *testing.T) {
	t.Parallel()
	whole := Check{ID: "L9.1", Title: "right", Points: 2, Invariant: "L9.I1", Operation: "L9.x",
		Misconception: "that", Hint: "h", More: "m", Read: "section 2, exercise 3"}
	bonus := whole
	bonus.ID, bonus.Bonus = "L9.2", true
	const before = "# Guide\n| L9.I1 | rule |\n\n## 2. Two\n\n**Exercise 3, x.**\n\n"
	for _, after := range []string{"", "\nafter\n\nthe table\n"} {
		s := Suite{Guide: "guide.md", Checks: []Check{whole, bonus}}
		want := before + tableHead + "| L9.1 (L9.I1) | 2 | right |\n" +
			"| L9.2 (L9.I1) | 2 bonus | right |\n" + after
		for _, old := range []string{"", "| L9.1 (L9.I1) | 7 | wrong |\n"} {
			got, err := withTable(s, before+tableHead+old+after)
			require.NoError(t, err)
			require.Equal(t, want, got)
		}
	}
	for want, spoil := range map[string]func(*Check){
		"is empty":                func(c *Check) { c.More = "" },
		"does not state L9.I2":    func(c *Check) { c.Invariant = "L9.I2" },
		"has no section 4":        func(c *Check) { c.Read = "section 4, exercise 3" },
		"has no exercise 5":       func(c *Check) { c.Read = "section 2, exercise 5" },
		"guide.md and check L9.1": func(c *Check) { c.Hint = "" },
	} {
		spoilt := whole
		spoil(&spoilt)
		_, err := withTable(Suite{Guide: "guide.md", Checks: []Check{spoilt}}, before+tableHead)
		require.ErrorContains(t, err, want)
	}
	_, err := withTable(Suite{Guide: "guide.md"}, before)
	require.ErrorContains(t, err, "no table")
}
