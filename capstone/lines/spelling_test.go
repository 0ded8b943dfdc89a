package lines_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone/lines"
	"example.com/blotter/labs/kit/trade"
)

var (
	decimals = []string{"quantity", "price", "fee", "strike", "carried_in", "underlying_price"}
	times    = []string{"entered_at", "effective_at", "from", "until"}
)

// A speller writes the JSON of a line in another way.
type speller struct {
	backwards bool                                 // the order of the fields
	space     string                               // between the tokens
	text      func(text string) string             // the JSON of a text
	value     func(field, value string) string     // another spelling of a value
	add       func(line, operation map[string]any) // writes defaults out
}

func (s speller) spell(t *testing.T, line string) string {
	t.Helper()
	var fields map[string]any
	require.NoError(t, json.Unmarshal([]byte(line), &fields))
	if s.add != nil {
		operation, restates := fields["restated"].(map[string]any)
		if !restates {
			operation = fields
		}
		s.add(fields, operation)
	}
	return s.json("", fields)
}

func (s speller) json(field string, v any) string {
	switch v := v.(type) {
	case map[string]any:
		names := slices.Sorted(maps.Keys(v))
		if s.backwards {
			slices.Reverse(names)
		}
		var members []string
		for _, name := range names {
			members = append(members, s.word(name)+s.space+":"+s.space+s.json(name, v[name]))
		}
		return "{" + s.space + strings.Join(members, s.space+","+s.space) + s.space + "}"
	case []any:
		var items []string
		for _, item := range v {
			items = append(items, s.json(field, item))
		}
		return "[" + strings.Join(items, ",") + "]"
	}
	text := v.(string)
	if s.value != nil {
		text = s.value(field, text)
	}
	return s.word(text)
}

func (s speller) word(text string) string {
	if s.text != nil {
		return s.text(text)
	}
	quoted, _ := json.Marshal(text)
	return string(quoted)
}

// of spells the values of some fields in another way.
func of(fields []string, spell func(string) string) speller {
	return speller{value: func(field, value string) string {
		if slices.Contains(fields, field) {
			return spell(value)
		}
		return value
	}}
}

func escaped(text string) string {
	var b strings.Builder
	for _, r := range text {
		fmt.Fprintf(&b, `\u%04x`, r)
	}
	return `"` + b.String() + `"`
}

func in(layout string, zone *time.Location) func(string) string {
	return func(text string) string {
		at, _ := time.Parse(time.RFC3339Nano, text)
		return at.In(zone).Format(layout)
	}
}

// writtenOut adds the defaults that follow from the line alone.
func writtenOut(line, operation map[string]any) {
	void := line["kind"] == trade.Void
	if _, given := line["effective_at"]; !given && line["restated"] == nil && !void {
		line["effective_at"] = line["entered_at"]
	}
	takesFee := slices.Contains([]any{"NEW", "NOVATE"}, operation["op"]) ||
		operation["kind"] == trade.Terminate
	if _, given := operation["fee"]; takesFee && !given {
		operation["fee"] = "0.00"
	}
	_, given := operation["price_unit"]
	switch point, ok := trade.FindDeliveryPoint(fmt.Sprint(operation["zone"])); {
	case given:
	case ok:
		operation["price_unit"] = string(point.Unit)
	case operation["op"] == "MARK":
		operation["price_unit"] = "MWh"
	}
	if _, given := operation["carried_in"]; operation["op"] == "NEW" && !given {
		operation["carried_in"] = "0"
	}
}

// The spellings of one command have one digest, so none of them reuses its id.
func TestSpellingsAreOneCommand(t *testing.T) {
	t.Parallel()
	spellers := map[string]speller{
		"sorted":          {},
		"backwards":       {backwards: true},
		"with blanks":     {space: " \t"},
		"with escapes":    {text: escaped},
		"with zeros":      of(decimals, zeros),
		"with an offset":  of(times, in("2006-01-02T15:04:05.999999-07:00", trade.BookZone())),
		"with a fraction": of(times, in("2006-01-02T15:04:05.000000Z", time.UTC)),
		"with two dates": of([]string{"delivery"}, func(text string) string {
			p, _ := trade.ParsePeriod(text)
			return p.Start.String() + "/" + p.End.String()
		}),
		"with an event id in capitals": of([]string{"corrects_event"}, strings.ToUpper),
		"with defaults":                {add: writtenOut},
	}
	n := 0
	for _, block := range fences(t, "json") {
		for text := range strings.Lines(block) {
			want := parse(t, strings.TrimSpace(text)).Command
			for name, s := range spellers {
				got := parse(t, s.spell(t, text)).Command
				require.Equal(t, want.Digest(), got.Digest(), "%s: %s", name, text)
				n++
			}
		}
	}
	require.GreaterOrEqual(t, n, 150)
}

// zeros adds a zero before the number, and one after its point.
func zeros(text string) string {
	number, negative := strings.CutPrefix(text, "-")
	if !strings.Contains(number, ".") {
		number += "."
	}
	if negative {
		return "-0" + number + "0"
	}
	return "0" + number + "0"
}

// A default that follows from other events is not part of the line. Written out, it is another
// command.
func TestDefaultsOfOtherEventsAreNotSaid(t *testing.T) {
	t.Parallel()
	for _, operation := range []string{
		`"op":"AMEND","kind":"correction","corrects":"c-0","uti":"U1","restated":{` +
			`"op":"SETTLE","price":"1"}}`,
		`"op":"CANCEL","kind":"void","uti":"U1"}`,
	} {
		without := parse(t, envelope+operation).Command
		with := without
		with.EffectiveAt = with.EnteredAt
		require.NotEqual(t, without.Digest(), with.Digest())
		require.Equal(t, without, parse(t, string(lines.Format(without))).Command)
	}
	settled := parse(t, envelope+`"op":"SETTLE","uti":"U1","price":"1"}`).Command
	perMWh := settled
	perMWh.PriceUnit = trade.MWh // the contract may be in MMBtu
	require.NotEqual(t, settled.Digest(), perMWh.Digest())
}
