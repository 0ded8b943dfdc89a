package report_test

import (
	"flag"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone/report"
	"example.com/blotter/capstone/report/reporttest"
)

// Reference data has both times: a value counts from its effective time, as known at the time of
// the report. A correction takes the slot of the event that it names.
func TestReferenceHasBothTimes(t *testing.T) {
	t.Parallel()
	const first, second = "213800WSGIIZCXF1P572", "5493000IBP32UQZ0KL24"
	at := reporttest.At
	d := reporttest.New()
	wrong := d.State("2025-01-01", report.Party, "ACME", "lei", first, "financial_entity", "true")
	d.State("2025-03-01", report.Party, "ACME", "financial_entity", "false")
	d.State("2025-04-01", report.Party, "ACME", "financial_entity", "")
	fixed := report.Fact{Corrects: wrong.ID, EffectiveAt: wrong.EffectiveAt,
		RecordedAt: at("2025-05-01"), Stated: report.Stated{Kind: report.Party, Key: "ACME",
			Attributes: []report.Attribute{{Name: "lei", Value: second}}}}
	facts := append(slices.Clone(d.Facts), fixed)

	for _, c := range []struct{ known, effective, attribute, want string }{
		{"2025-04-30", "2025-06-01", "lei", first},
		{"2025-05-01", "2025-06-01", "lei", second},
		{"2025-05-01", "2024-12-31", "lei", ""},
		{"2025-04-30", "2025-02-01", "financial_entity", "true"},
		{"2025-02-01", "2025-03-02", "financial_entity", "true"},
		{"2025-03-02", "2025-03-02", "financial_entity", "false"},
		{"2025-04-02", "2025-04-02", "financial_entity", ""},
		{"2025-05-01", "2025-02-01", "financial_entity", ""}, // the correction states the LEI only
		{"", "2025-06-01", "lei", second},
	} {
		known := time.Time{}
		if c.known != "" {
			known = at(c.known)
		}
		r := report.FoldReference(slices.Values(facts), known)
		got, ok := r.Get(report.Party, "ACME", c.attribute, at(c.effective))
		require.Equal(t, c.want, got, c)
		require.Equal(t, c.want != "", ok)
	}
}

// Reference data with a wrong check digit, or an attribute that its subject lacks, is refused.
func TestReferenceIsChecked(t *testing.T) {
	t.Parallel()
	for want, s := range map[string]report.Stated{
		"check digits are wrong": stated(report.Party, "ACME", "lei", "213800WSGIIZCXF1P573"),
		"no such attribute":      stated(report.Trader, "anna", "lei", "213800WSGIIZCXF1P572"),
		"kind \"desk\"":          stated("desk", "A", "lei", "213800WSGIIZCXF1P572"),
		"states nothing":         {Kind: report.Party, Key: "ACME"},
		"is not a date":          stated(report.Calendar, "TARGET", "christmas", "holiday"),
		"none of":                stated(report.Calendar, "TARGET", "2025-12-25", "half"),
	} {
		require.ErrorContains(t, s.Check(), want)
	}
	require.NoError(t, stated(report.Calendar, "TARGET", "2025-12-25", "holiday").Check())
}

func stated(kind, key, name, value string) report.Stated {
	return report.Stated{Kind: kind, Key: key,
		Attributes: []report.Attribute{{Name: name, Value: value}}}
}

// A deadline counts the business days of a calendar, whose holidays are reference data.
func TestCalendarHasTheStatedHolidays(t *testing.T) {
	t.Parallel()
	d := reporttest.New()
	d.State("2025-01-01", report.Calendar, "TARGET", "2025-05-01", "holiday",
		"2025-05-08", "holiday")
	d.State("2025-02-01", report.Calendar, "TARGET", "2025-05-08", "")
	in := report.FoldReference(slices.Values(d.Facts), time.Time{}).Calendar("TARGET")
	for _, c := range []struct {
		from string
		n    int
		want string
	}{
		{"2025-04-30", 1, "2025-05-02"}, // Labour Day
		{"2025-05-02", 1, "2025-05-05"}, // a weekend
		{"2025-05-03", 1, "2025-05-05"}, // a trade on Saturday
		{"2025-04-30", 2, "2025-05-05"},
		{"2025-05-07", 1, "2025-05-08"}, // withdrawn
	} {
		require.Equal(t, c.want+"T23:59:59.999999Z",
			in.After(reporttest.At(c.from), c.n).Format(time.RFC3339Nano))
	}
}

// A deadline ends with a day of the calendar's zone, a month ends with its last day at the latest,
// and an event that is agreed before it takes effect is due from its entry.
func TestDeadlines(t *testing.T) {
	t.Parallel()
	d := reporttest.New()
	d.State("2025-01-01", report.Calendar, "TARGET", "zone", "DE-LU")
	in := report.Input{Reference: report.FoldReference(slices.Values(d.Facts), time.Time{})}
	due := func(entered, effective string, deadline report.Deadline) string {
		deadline.Calendar = "TARGET"
		in.Message.Action.Event.EnteredAt = reporttest.At(entered)
		in.Message.Action.Event.EffectiveAt = reporttest.At(effective)
		set := report.RuleSet{Deadline: func(report.Input) report.Deadline { return deadline }}
		return set.Due(in).Format(time.RFC3339)
	}
	day, month := report.Deadline{Days: 1}, report.Deadline{Months: 1}
	require.Equal(t, "2025-03-04T22:59:59Z", due("2025-03-03", "2025-03-03", day))
	require.Equal(t, "2025-03-05T22:59:59Z",
		due("2025-03-03T23:30:00Z", "2025-03-03T23:30:00Z", day), "Tuesday in Berlin")
	require.Equal(t, "2025-02-28T22:59:59Z", due("2025-01-31", "2025-01-31", month))
	require.Equal(t, "2025-04-15T21:59:59Z", due("2025-03-15", "2025-03-15", month))
	require.Equal(t, "2025-03-04T22:59:59Z", due("2025-03-03", "2025-06-02", day), "a future end")
}

var update = flag.Bool("update", false, "write the tables of README.md")

func TestReadmeHasTheAttributes(t *testing.T) {
	t.Parallel()
	reporttest.HoldBlock(t, "README.md", "attributes", report.AttributeTable(), *update)
}
