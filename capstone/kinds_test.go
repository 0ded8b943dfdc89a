package capstone_test

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone"
	"example.com/blotter/capstone/lines"
	"example.com/blotter/labs/3-projections/projectiontest"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	"example.com/blotter/schemas"
	codec "example.com/blotter/solutions/1-schemas"
)

// places are the places that must know every kind of event. A check returns an error where one is
// missing. The name is the file to edit.
var places = []struct {
	file  string
	check func(t *testing.T, k trade.Kind) error
}{
	{"labs/kit/trade/kinds.go", namesAreUnique},
	{"labs/kit/trade/kinds.go", lifecycleTakesKind},
	{"labs/kit/trade/kinds.go", namedContractsAreLinked},
	{"labs/kit/trade/kinds.go", figuresAreConverted},
	{"schemas", schemaExists},
	{"schemas/import-line.schema.json", schemaTakesLines},
	{"solutions/1-schemas/formats.go", codecReturnsBody},
	{"capstone/lines/operations.go", linesReadOperation},
	{"capstone/lines/README.md", exampleExists},
	{"capstone/lines/operations.go", linesComeBack},
	{"labs/3-projections/projectiontest/bodies.go", historiesHaveKind},
	{"capstone", deskRecordsKind},
	{"labs/kit/trade/kinds.go", reductionIsDeclared},
	{"labs/kit/trade/kinds.go", successorBegins},
}

// TestEveryPlaceKnowsEveryKind walks each kind of trade.Kinds through the catalog, the codec, the
// import lines, the desk, the fold, the reduction, the follow-ups and the display. A kind that is
// missing in one of them would lose position while every other check stays green.
func TestEveryPlaceKnowsEveryKind(t *testing.T) {
	t.Parallel()
	for _, k := range trade.Kinds() {
		t.Run(k.Operation, func(t *testing.T) {
			t.Parallel()
			for _, p := range places {
				if err := checked(t, k, p.check); err != nil {
					t.Errorf("%s: %s (%s): %v", p.file, k.Operation, k.Type, err)
				}
			}
		})
	}
}

// checked makes a panic of a check an error: a table without a row may end in one.
func checked(t *testing.T, k trade.Kind, check func(*testing.T, trade.Kind) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return check(t, k)
}

func namesAreUnique(_ *testing.T, k trade.Kind) error {
	for _, other := range trade.Kinds() {
		if (other.Operation == k.Operation) != (other.Type == k.Type) {
			return fmt.Errorf("%s (%s) has one of its names", other.Operation, other.Type)
		}
	}
	if byType, _ := trade.KindOfType(k.Type); !same(byType, k) || !same(trade.KindOf(k.Zero), k) {
		return fmt.Errorf("another row has the same name or the same body %T", k.Zero)
	}
	return nil
}

func same(a, b trade.Kind) bool { return reflect.DeepEqual(a, b) }

// onTrades reports whether events of a kind are recorded on the streams of trades.
func onTrades(k trade.Kind) bool { return k.Stream == trade.TradeStream("") }

func lifecycleTakesKind(_ *testing.T, k trade.Kind) error {
	slot := trade.Slot{Event: trade.Event{Body: k.Zero}}
	_, refusal := trade.Evolve(trade.Trade{Status: trade.Live}, slot)
	if onTrades(k) && refusal != nil && refusal.Rule == trade.WrongKind {
		return fmt.Errorf("%T has no evolve method: %v", k.Zero, refusal)
	}
	return nil
}

// namedContractsAreLinked fails for a body that names another contract, and neither continues it
// nor hands its quantity over to it.
func namedContractsAreLinked(_ *testing.T, k trade.Kind) error {
	body := reflect.New(reflect.TypeOf(k.Zero)).Elem()
	if setUTIs(body) == 0 {
		return nil
	}
	b := body.Interface().(trade.Body)
	if trade.LinkedUTI(b) == anotherUTI {
		return nil
	}
	return fmt.Errorf("%T names another contract, and is not a trade.Beginner: a quantity that it "+
		"takes out is lost, and lines about the two contracts are decided in any order", b)
}

// figuresAreConverted fails for a body that has a quantity or a price, and does not say which unit
// it was entered in. Entry converts exactly the bodies that say so: the value of another body would
// be recorded in the unit that it was entered in.
func figuresAreConverted(_ *testing.T, k trade.Kind) error {
	body := reflect.TypeOf(k.Zero)
	_, says := body.FieldByName("Entered")
	if says != k.Measured() {
		return fmt.Errorf("%T has a field Entered: %v; entry converts it: %v",
			k.Zero, says, k.Measured())
	}
	for i := range body.NumField() {
		f := body.Field(i)
		figure := f.Type == reflect.TypeFor[trade.Quantity]() || strings.HasSuffix(f.Name, "Price")
		if figure && !says {
			return fmt.Errorf("%s of %T has no unit that it was entered in", f.Name, k.Zero)
		}
	}
	return nil
}

const anotherUTI = "ANOTHER"

// setUTIs sets every UTI that a body has, at any depth, and returns their number.
func setUTIs(v reflect.Value) (n int) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			field := v.Type().Field(i)
			switch {
			case !field.IsExported():
			case field.Type.Kind() == reflect.String && strings.HasSuffix(field.Name, "UTI"):
				v.Field(i).SetString(anotherUTI)
				n++
			default:
				n += setUTIs(v.Field(i))
			}
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		n += setUTIs(v.Index(0))
	}
	return n
}

func schemaExists(_ *testing.T, k trade.Kind) error {
	if _, ok := schemas.Latest(k.Type); !ok {
		return fmt.Errorf("no file %s.v1.avsc", k.Type)
	}
	return nil
}

var lineSchema = sync.OnceValue(func() *jsonschema.Schema {
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	return compiler.MustCompile("../schemas/import-line.schema.json")
})

func schemaTakesLines(t *testing.T, k trade.Kind) error {
	text, err := os.ReadFile("../schemas/import-line.schema.json")
	op := fmt.Sprintf(`"op": {"const": %q, "x-event": %q}`, k.Operation, k.Type)
	if err == nil && k.IsCommand() && !strings.Contains(string(text), op) {
		err = fmt.Errorf("no operation has %s", op)
	}
	for _, cmd := range examples(t, k) {
		value, broken := jsonschema.UnmarshalJSON(strings.NewReader(string(lines.Format(cmd))))
		if broken == nil {
			broken = lineSchema().Validate(value)
		}
		err = cmp.Or(err, broken)
	}
	return err
}

// codecReturnsBody encodes and decodes each example, and renders it for people.
func codecReturnsBody(t *testing.T, k trade.Kind) error {
	c := codec.Offline()
	for _, body := range bodies(t, k) {
		payload, err := c.Encode(t.Context(), body)
		if err != nil {
			return err
		}
		got, err := c.Decode(t.Context(), payload.Type, payload.Data)
		if err != nil || payload.Type != k.Type || !reflect.DeepEqual(got, body) {
			return fmt.Errorf("%+v comes back as %s, %+v: %v", body, payload.Type, got, err)
		}
		if text, err := codec.JSON(body); err != nil || len(text) < len(`{"a":1}`) {
			return fmt.Errorf("%+v is displayed as %s: %v", body, text, err)
		}
	}
	return nil
}

func linesReadOperation(_ *testing.T, k trade.Kind) error {
	const line = `{"command_id":"c","entered_at":"2025-01-01T00:00:00Z",` +
		`"actor":"a","reason":"r","op":%q}`
	_, err := lines.Parse(1, fmt.Appendf(nil, line, k.Operation))
	var bad *lines.Error
	if k.IsCommand() && errors.As(err, &bad) && bad.Field == "op" {
		return err
	}
	return nil
}

func exampleExists(t *testing.T, k trade.Kind) error {
	begins := func(c trade.Command) bool { return trade.Begun(c.Body) != "" }
	switch all := examples(t, k); {
	case k.IsCommand() && len(all) == 0:
		return fmt.Errorf("no example")
	case k.Begins() && !slices.ContainsFunc(all, begins):
		return fmt.Errorf("no example in which a contract of ours begins")
	}
	return nil
}

// linesComeBack formats each example and parses it again. The line must name the linked contract,
// and its label must begin with the operation.
func linesComeBack(t *testing.T, k trade.Kind) error {
	for _, cmd := range examples(t, k) {
		line, err := lines.Parse(1, lines.Format(cmd))
		if err != nil {
			return err
		}
		if !reflect.DeepEqual(line.Command, cmd) {
			return fmt.Errorf("%+v comes back as %+v", cmd, line.Command)
		}
		linked := trade.LinkedUTI(cmd.Body)
		if linked != "" && !slices.Contains(line.Names, trade.TradeStream(linked)) {
			return fmt.Errorf("the line does not name contract %s: %v", linked, line.Names)
		}
		if !strings.HasPrefix(cmd.Label(), k.Operation) {
			return fmt.Errorf("the import calls it %q", cmd.Label())
		}
	}
	return nil
}

var madeUp = sync.OnceValue(func() map[string]bool {
	types := map[string]bool{}
	for seed := range uint64(20) {
		for _, e := range projectiontest.History(seed, 200, 1).Events {
			types[e.Type] = true
		}
	}
	return types
})

func historiesHaveKind(_ *testing.T, k trade.Kind) error {
	if !madeUp()[k.Type] {
		return fmt.Errorf("no made-up history has one, so no read model is tested on it")
	}
	return nil
}

// deskRecordsKind sends each example to a desk. The event must be of this kind, on its stream.
func deskRecordsKind(t *testing.T, k trade.Kind) error {
	for _, cmd := range examples(t, k) {
		j, err := take(t, cmd)
		if err != nil {
			return err
		}
		if e := j.event; e.Type != k.Type || !strings.HasPrefix(e.Stream, k.Stream) {
			return fmt.Errorf("the desk records %s on stream %s", e.Type, e.Stream)
		}
	}
	return nil
}

// reductionIsDeclared compares the quantity that an example takes out of its contract with the
// quantity of its Reduction. trade.Fold asserts that all quantities of a contract add up.
func reductionIsDeclared(t *testing.T, k trade.Kind) error {
	for _, cmd := range examples(t, k) {
		j, err := take(t, cmd)
		if err != nil || !onTrades(k) {
			return err
		}
		taken := j.after.Contracted.Sub(j.after.Open)
		q, _ := trade.Reduction(j.body)
		if j.after.Status != trade.Voided && !taken.Equal(q.Value) {
			return fmt.Errorf("%s takes out %s, and declares %s", cmd.Label(), taken, q.Value)
		}
	}
	return nil
}

// successorBegins fails where a quantity leaves a contract for another one of ours, and the desk
// does not begin that one.
func successorBegins(t *testing.T, k trade.Kind) error {
	for _, cmd := range examples(t, k) {
		uti := trade.Begun(cmd.Body)
		if uti == "" || !onTrades(k) {
			continue
		}
		j, err := take(t, cmd)
		if err != nil {
			return err
		}
		q, _ := trade.Reduction(j.body)
		next := tradeOf(t, j.system, uti)
		if next.Status != trade.Live || next.PriorUTI != cmd.UTI || !next.Open.Equal(q.Value) {
			return fmt.Errorf("%s hands %s over to contract %s, which has %s and status %q",
				cmd.Label(), q, uti, next.Open, next.Status)
		}
	}
	return nil
}

// A journey holds the event and the body that an example became, and the contract after it.
type journey struct {
	system *capstone.System
	event  contract.Recorded
	body   trade.Body
	after  trade.Trade
}

// take sends an example to a new desk, on a contract that one of the examples of NEW begins.
func take(t *testing.T, cmd trade.Command) (j journey, err error) {
	kind := trade.KindOf(cmd.Body)
	begin := trade.KindOf(trade.New{})
	bases := []trade.Command{{}}
	confirm, confirms := cmd.Body.(trade.Confirm)
	if confirms || onTrades(kind) && !same(kind, begin) {
		bases = examples(t, begin)
	}
	for _, base := range bases {
		j.system = newSystem()
		if base.ID != "" {
			base.ID, base.UTI, base.EnteredAt = "base", cmd.UTI, nine
			out := do(t, j.system, base)
			if confirms {
				confirm.Event, cmd.Body = out.Event.ID, confirm
			}
		}
		out := do(t, j.system, cmd)
		if out.Refusal != nil {
			err = fmt.Errorf("%s: %w", cmd.Label(), out.Refusal)
			continue
		}
		j.event = out.Event
		if onTrades(kind) {
			j.after = tradeOf(t, j.system, cmd.UTI)
		}
		j.body, err = codec.Offline().Decode(t.Context(), out.Event.Type, out.Event.Data)
		return j, err
	}
	return j, err
}

// examples returns the commands of a kind in the guide to import lines, without corrections.
func examples(t *testing.T, k trade.Kind) (all []trade.Command) {
	text, err := os.ReadFile("lines/README.md")
	require.NoError(t, err)
	for _, block := range regexp.MustCompile("(?s)```json\n(.*?)```").FindAllSubmatch(text, -1) {
		for line, err := range lines.Read(bytes.NewReader(block[1])) {
			cmd := line.Command
			if err == nil && cmd.Corrects == uuid.Nil && same(trade.KindOf(cmd.Body), k) {
				all = append(all, cmd)
			}
		}
	}
	return all
}

// bodies returns the bodies of the examples as they are recorded. No line asks for a refusal.
func bodies(t *testing.T, k trade.Kind) (all []trade.Body) {
	switch k.Zero.(type) {
	case trade.CommandRefused:
		return []trade.Body{trade.CommandRefused{CommandID: "c-1", Rule: "quantity.exceeds-open"}}
	case trade.SnapshotTaken:
		return []trade.Body{trade.SnapshotTaken{Name: "month-end", Cursor: []int64{7, 0}}}
	case trade.BackfillAdopted:
		return []trade.Body{trade.BackfillAdopted{File: "old.jsonl", Streams: 2, Events: 5}}
	case trade.EventSkipped:
		return []trade.Body{trade.EventSkipped{
			Version: 3, Event: trade.EventID("c-1", 0), Rule: "quantity.exceeds-open",
		}}
	}
	for _, cmd := range examples(t, k) {
		if j, err := take(t, cmd); err == nil {
			all = append(all, j.body)
		}
	}
	return append(all, k.Zero)[:max(len(all), 1)]
}

// TestListOfFilesForAKind keeps the list in CONTRIBUTING.md true: each file exists and names every
// kind that a command can ask for.
func TestListOfFilesForAKind(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../.github/CONTRIBUTING.md")
	require.NoError(t, err)
	_, section, found := strings.Cut(string(page), "\n## How to add an event kind\n")
	require.True(t, found)
	section, _, _ = strings.Cut(section, "\n## ")
	files := regexp.MustCompile("(?m)^[0-9]+\\. `([^`]+)`").FindAllStringSubmatch(section, -1)
	require.NotEmpty(t, files)
	require.LessOrEqual(t, len(files), 12, "a new kind of event touches at most 12 files")
	for _, file := range files {
		for _, k := range trade.Kinds() {
			name := "../" + strings.ReplaceAll(file[1], "<type>", k.Type)
			text, err := os.ReadFile(name)
			if err != nil || k.IsCommand() && !names(string(text), k) {
				t.Errorf("%s is missing, or does not name %s (%s): %v",
					name, k.Operation, k.Type, err)
			}
		}
	}
}

// names reports whether a text has one of the names of a kind: its operation, its type in quotes,
// the type of its body, or the name of its schema.
func names(text string, k trade.Kind) bool {
	body := reflect.TypeOf(k.Zero).Name()
	_, schema, _ := strings.Cut(k.Type, ".")
	schema = strings.ToUpper(schema[:1]) + schema[1:]
	return regexp.MustCompile(fmt.Sprintf(`\b%s\b|"%s"|\btrade\.%s\b|"name": "%s"`,
		k.Operation, regexp.QuoteMeta(k.Type), body, schema)).MatchString(text)
}
