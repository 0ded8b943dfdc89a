package books_test

import (
	"bytes"
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone/books"
	"example.com/blotter/capstone/lines"
	"example.com/blotter/capstone/simulate"
	"example.com/blotter/labs/kit/trade"
)

var update = flag.Bool("update", false, "rewrite the sample book")

// sample is the desk of the sample book.
var sample = simulate.Config{
	Seed: 2025, Trades: 540, From: time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC), Days: 365,
}

func TestSampleBookIsUpToDate(t *testing.T) {
	var made bytes.Buffer
	for step := range simulate.Book(sample) {
		made.Write(append(lines.Format(step.Command), '\n'))
	}
	end, _ := handwritten(t)
	made.Write(end)
	if *update {
		require.NoError(t, os.WriteFile(books.Sample, made.Bytes(), 0o644))
		return // the embedded book is still the old one
	}
	require.True(t, bytes.Equal(open(t, books.Sample), made.Bytes()),
		"run the test with -update, and check the changes")
}

// The refusals of the book are those that were planned.
func TestSampleBookRefusals(t *testing.T) {
	t.Parallel()
	want := map[string]string{}
	for step := range simulate.Book(sample) {
		if step.WantRule != "" {
			want[step.Command.ID] = string(step.WantRule)
		}
	}
	_, refused := handwritten(t)
	for id, rule := range refused {
		want[id] = string(rule)
	}
	require.Equal(t, want, imported(t, open(t, books.Sample)).refused)
}

// The book has every kind of event, and a refusal by every rule.
func TestSampleBookIsComplete(t *testing.T) {
	t.Parallel()
	book := imported(t, open(t, books.Sample))
	seen := map[string]int{}
	for _, rule := range book.refused {
		seen[rule]++
	}
	commands := 0
	for line, err := range lines.Read(bytes.NewReader(open(t, books.Sample))) {
		require.NoError(t, err)
		commands++
		if _, refused := book.refused[line.Command.ID]; !refused {
			for _, feature := range features(line.Command) {
				seen[feature]++
			}
			for _, feature := range entryFeatures(line.Command) {
				seen[feature]++
			}
		}
	}
	state := trade.StateOf(book.streams, trade.AsOf{})
	require.Empty(t, state.Parked)
	for _, contract := range state.Trades {
		seen["contract "+string(contract.Status)]++
	}
	t.Log(commands, len(book.refused), seen)
	require.GreaterOrEqual(t, commands, 3000)
	require.GreaterOrEqual(t, seen["NEW"], 520)
	for _, feature := range append(everything, rules(t)...) {
		require.Positive(t, seen[feature], feature)
	}
}

var everything = []string{
	"NEW", "NEW option", "NEW late", "SETTLE in part MW",
	"AMEND amendment", "AMEND amendment backdated", "AMEND update",
	"CANCEL void", "CANCEL terminate", "CANCEL terminate in part",
	"SETTLE", "SETTLE in part", "SETTLE in part backdated", "MARK",
	"NOVATE transferor", "NOVATE transferor in part", "NOVATE transferor in part MW",
	"NOVATE remaining", "NOVATE remaining in part",
	"in therm", "in kWh", "in GJ", "in MMBtu", "price per therm", "price per kWh",
	"warning of the currency", "warning of hours left out",
	"EXERCISE cash", "EXERCISE cash in part", "EXERCISE physical", "EXERCISE physical in part",
	"correction of NEW", "correction of AMEND", "correction of SETTLE", "correction of NOVATE",
	"correction of EXERCISE", "correction of CANCEL", "correction of MARK",
	"correction restating the time", "correction to nothing", "correction approved",
	"CANCEL void approved", "AMEND amendment approved",
	"linked contract", "correction of a linked contract",
	"contract LIVE", "contract VOIDED", "contract TERMINATED", "contract NOVATED",
	"contract SETTLED", "contract EXERCISED",
}

// rules returns the rules of the domain from its source, because a list here would miss a new rule.
// It leaves out the three rules that no line of a simulated log can break, and that of a
// confirmation, because the simulator makes none.
func rules(t *testing.T) (all []string) {
	t.Helper()
	source, err := os.ReadFile("../../labs/kit/trade/refusal.go")
	require.NoError(t, err)
	for _, m := range regexp.MustCompile(`Rule = "([a-z.-]+)"`).FindAllSubmatch(source, -1) {
		switch rule := string(m[1]); trade.Rule(rule) {
		case trade.IsParked: // the desk records no illegal event
		case trade.IsUnreadable: // nor one that it cannot decode
		case trade.EnteredInFuture: // the clock follows the lines
		case trade.UnknownTerms: // the book has no confirmations
		default:
			all = append(all, rule)
		}
	}
	require.GreaterOrEqual(t, len(all), 19)
	return all
}

// features returns the features of the book that c has.
func features(c trade.Command) []string {
	if c.Corrects != uuid.Nil {
		return correctionFeatures(c)
	}
	name := c.Label()
	if n, ok := c.Body.(trade.New); ok && n.Instrument.Option != nil {
		return []string{name, name + " option"}
	} else if ok && !c.EffectiveAt.IsZero() {
		return []string{name, name + " late"}
	}
	quantity, reduces := trade.Reduction(c.Body)
	list := []string{name}
	if reduces && !quantity.IsZero() {
		name += " in part"
		list = append(list, name)
		if quantity.Unit == trade.MW {
			list = append(list, name+" MW")
		}
	}
	if !c.EffectiveAt.IsZero() {
		list = append(list, name+" backdated")
	}
	if c.Approver != "" {
		list = append(list, name+" approved")
	}
	if linked(c) {
		list = append(list, "linked contract")
	}
	return list
}

// entryFeatures returns the units that c was entered in, and its warnings.
func entryFeatures(c trade.Command) (all []string) {
	for _, m := range regexp.MustCompile(`"(price_)?unit":"(\w+)"`).FindAllSubmatch(lines.Format(c),
		-1) {
		name := "in " + string(m[2])
		if len(m[1]) > 0 {
			name = "price per " + string(m[2])
		}
		all = append(all, name)
	}
	for _, text := range c.Warnings() {
		if strings.HasPrefix(text, "currency ") {
			all = append(all, "warning of the currency")
		} else if strings.Contains(text, " hours are left out") {
			all = append(all, "warning of hours left out")
		}
	}
	return all
}

// linked reports whether c is about a contract that began from another one.
func linked(c trade.Command) bool {
	return len(c.UTI) > 7 && (c.UTI[7] == 'N' || c.UTI[7] == 'X')
}

func correctionFeatures(c trade.Command) []string {
	list := []string{"correction of " + trade.KindOf(c.Body).Operation}
	if !c.EffectiveAt.IsZero() {
		list = append(list, "correction restating the time")
	}
	if c.Approver != "" {
		list = append(list, "correction approved")
	}
	if linked(c) {
		list = append(list, "correction of a linked contract")
	}
	if bytes.Contains(lines.Format(c), []byte(`"quantity":"0"`)) {
		list = append(list, "correction to nothing")
	}
	return list
}
