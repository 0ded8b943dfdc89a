package report

import (
	"cmp"
	"fmt"
	"iter"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/trade"
)

// The kinds of subjects that reference data describes.
const (
	Book     = "book"     // our side: the legal entity of a book; key: the name of the book
	Party    = "party"    // key: the name of the counterparty in trades
	Trader   = "trader"   // key: the principal
	Product  = "product"  // key: the name of an instrument, or its class; see ClassOf
	Calendar = "calendar" // key: such as TARGET; attributes: zone, and dates: "holiday"
	Role     = "role"     // key: regime/book/counterparty; see the attribute reporting_side
)

// Kinds of subjects of a Gap that no reference data describes.
const (
	Trade = "trade" // key: the UTI; the record itself lacks the data, or has it in another form
	Curve = "curve" // key: the curve; it lacks a mark
)

// owner returns the team that owns the data of a kind of subject.
func owner(kind string) string {
	switch kind {
	case Product, Calendar:
		return "product-control"
	case Trader:
		return "desk-heads"
	case Trade:
		return "middle-office"
	case Curve:
		return "market-data"
	}
	return "client-data"
}

// Stated is the body of an event on the stream reference/<kind>/<key>: attributes of one subject,
// from the effective time of the event on. An attribute that it does not name stays as it is. An
// empty value withdraws the attribute.
type Stated struct {
	Kind       string      `avro:"kind"`
	Key        string      `avro:"key"`
	Attributes []Attribute `avro:"attributes"`
}

// An Attribute is one stated fact. Attributes has the known names.
type Attribute struct {
	Name  string `avro:"name"`
	Value string `avro:"value"`
}

// EventType returns the stable name of the event.
func (Stated) EventType() string { return "reference.stated" }

// Stream returns the name of the stream that holds s.
func (s Stated) Stream() string { return ReferenceStreams + s.Kind + "/" + s.Key }

// ReferenceStreams begins the names of the streams of reference data.
const ReferenceStreams = "reference/"

// A Definition is the form of one attribute.
type Definition struct {
	Name    string
	Kinds   []string // of the subjects that have it
	Meaning string
	Check   func(string) error
}

// Attributes is the one table of attributes of reference data. Its order is that of the
// documentation.
var Attributes = []Definition{
	{"lei", []string{Book, Party}, "legal entity identifier, ISO 17442", CheckLEI},
	{"eic", []string{Book, Party, Product}, "energy identification code", CheckEIC},
	{"acer", []string{Book, Party}, "ACER code", matching(`[A-Za-z0-9_]{9}\.[A-Z]{2}`)},
	{"natural_person", []string{Party}, "true for a natural person", oneOf("true", "false")},
	{"financial_entity", []string{Book, Party}, "CEA 2(h)(7)(C)", oneOf("true", "false")},
	{"federal_entity", []string{Book, Party}, "US federal entity", oneOf("true", "false")},
	{"swap_dealer", []string{Book}, "swap dealer or major swap participant",
		oneOf("true", "false")},
	{"initial_margin_portfolio", []string{Party}, "code of the portfolio, TRANSACTIONLEVEL or " +
		"NOTAPPLICABLE", matching(`[A-Za-z0-9]{1,52}`)},
	{"variation_margin_portfolio", []string{Party}, "the same, for variation margin",
		matching(`[A-Za-z0-9]{1,52}`)},
	{"investment_firm", []string{Book}, "MiFID II investment firm", oneOf("true", "false")},
	{"acer_trader_id", []string{Trader}, "trader's id at the market participant",
		matching(`[ -~]{1,100}`)},
	{"national_id", []string{Trader}, "national client identifier, RTS 22 Annex II",
		matching(`[A-Z]{2}[A-Z0-9]{1,33}`)},
	{"branch_country", []string{Trader}, "country of the branch that supervises the trader",
		matching(`[A-Z]{2}`)},
	{"swap", []string{Product}, "CFTC: the product is a swap", oneOf("true", "false")},
	{"settlement", []string{Product}, "physical or cash", oneOf("physical", "cash")},
	{"settlement_days", []string{Product}, "days from the end of delivery to the last payment",
		matching(`[0-9]{1,3}`)},
	{"premium_days", []string{Product}, "days from the trade to the payment of the premium",
		matching(`[0-9]{1,3}`)},
	{"delta", []string{Product}, "delta of an option to its underlying",
		matching(`-?[01](\.[0-9]{1,5})?`)},
	{"cfi", []string{Product}, "classification, ISO 10962", matching(`[A-Z]{6}`)},
	{"isin", []string{Product}, "ISO 6166", CheckISIN},
	{"underlying_isin", []string{Product}, "ISIN of the underlying", CheckISIN},
	{"venue", []string{Product}, "segment MIC, ISO 10383, or XOFF, XXXX, BILT", CheckMIC},
	{"unit", []string{Product}, "unit code of the repository", matching(`[A-Z]{1,4}`)},
	{"full_name", []string{Product}, "name of the instrument", matching(`[ -~]{1,350}`)},
	{"mifir", []string{Product}, "in or out of MiFIR Article 26(2)", oneOf("in", "out")},
	{"remit", []string{Product}, "standard, non-standard or out", oneOf("standard",
		"non-standard", "out")},
	{"reporting_side", []string{Role}, "the side that reports", oneOf("we", "they", "both")},
}

func matching(pattern string) func(string) error {
	whole := regexp.MustCompile("^(?:" + pattern + ")$")
	return func(s string) error {
		if !whole.MatchString(s) {
			return fmt.Errorf("%q does not match %s", s, pattern)
		}
		return nil
	}
}

func oneOf(values ...string) func(string) error {
	return func(s string) error {
		if !slices.Contains(values, s) {
			return fmt.Errorf("%q is none of %s", s, strings.Join(values, ", "))
		}
		return nil
	}
}

// Check reports a kind that is unknown, an attribute that the kind lacks, or a value whose form or
// check digit is wrong.
func (s Stated) Check() error {
	if !slices.Contains([]string{Book, Party, Trader, Product, Calendar, Role}, s.Kind) {
		return fmt.Errorf("kind %q of reference data: "+
			"want book, party, trader, product, calendar or role", s.Kind)
	}
	if s.Key == "" || len(s.Attributes) == 0 {
		return fmt.Errorf("reference data of %s %q states nothing", s.Kind, s.Key)
	}
	for _, a := range s.Attributes {
		if err := a.check(s.Kind); err != nil {
			return fmt.Errorf("%s of %s %s: %w", a.Name, s.Kind, s.Key, err)
		}
	}
	return nil
}

func (a Attribute) check(kind string) error {
	if kind == Calendar && a.Name == "zone" {
		_, err := zone(a.Value)
		return err
	}
	if kind == Calendar {
		_, err := trade.ParseDay(a.Name)
		return cmp.Or(err, oneOf("", "holiday")(a.Value))
	}
	for _, d := range Attributes {
		if d.Name == a.Name && slices.Contains(d.Kinds, kind) {
			if a.Value == "" {
				return nil
			}
			return d.Check(a.Value)
		}
	}
	return fmt.Errorf("a %s has no such attribute", kind)
}

// A Fact is a Stated event on record.
type Fact struct {
	ID, Corrects            uuid.UUID
	Version                 int64
	EffectiveAt, RecordedAt time.Time
	Stated
}

// Reference is the reference data as known at one time. The zero value has none.
type Reference struct {
	values    map[attributeKey][]dated
	calendars map[string]trade.Calendar
}

type attributeKey struct{ kind, key, name string }

// dated is a value from a time on.
type dated struct {
	from    time.Time
	version int64
	value   string
	id      uuid.UUID // of the event that states it
}

// FoldReference returns the reference data that is known at a time; the zero time knows all. A
// correction takes the slot of the event that it names, as in the stream of a trade. Within an
// attribute, the slots count by effective time, then by version. The facts of one stream come in
// version order; the order of streams does not matter.
func FoldReference(facts iter.Seq[Fact], known time.Time) Reference {
	slots := map[string][]Fact{}
	root := map[uuid.UUID]int{} // the index of an event's slot
	for f := range facts {
		if !(trade.AsOf{Known: known}).Knows(f.RecordedAt) {
			continue
		}
		of := slots[f.Stream()]
		i, corrects := root[f.Corrects]
		if f.Corrects == uuid.Nil || !corrects {
			i, of = len(of), append(of, f)
		} else {
			f.Version = of[i].Version
			of[i] = f
		}
		root[f.ID], slots[f.Stream()] = i, of
	}
	return reference(slots)
}

func reference(slots map[string][]Fact) Reference {
	r := Reference{map[attributeKey][]dated{}, map[string]trade.Calendar{}}
	//determinism:unordered each stream has its own keys
	for _, of := range slots {
		for _, f := range of {
			for _, a := range f.Attributes {
				k := attributeKey{f.Kind, f.Key, a.Name}
				r.values[k] = append(r.values[k], dated{f.EffectiveAt, f.Version, a.Value, f.ID})
			}
		}
	}
	//determinism:unordered each key is sorted by itself
	for _, all := range r.values {
		slices.SortFunc(all, func(a, b dated) int {
			return cmp.Or(a.from.Compare(b.from), cmp.Compare(a.version, b.version))
		})
	}
	//determinism:unordered each day of a calendar is set by itself
	for k, all := range r.values {
		if k.kind == Calendar {
			r.calendars[k.key] = withFact(r.Calendar(k.key), k.name, all[len(all)-1].value)
		}
	}
	return r
}

// withFact returns a calendar with one more attribute; Stated.Check has checked it.
func withFact(c trade.Calendar, name, value string) trade.Calendar {
	if zone, err := zone(value); name == "zone" && err == nil {
		c.Zone = zone
	} else if day, err := trade.ParseDay(name); err == nil {
		c.Holidays[day] = value == "holiday"
	}
	return c
}

// zone returns the time zone of a delivery point; UTC for that name and for an empty one.
func zone(point string) (*time.Location, error) {
	if point == "" || point == "UTC" {
		return time.UTC, nil
	}
	return trade.Zone(point)
}

// Calendar returns the business days of a calendar, in its zone, or in UTC if none is stated. A
// calendar that nobody has stated has no holidays.
func (r Reference) Calendar(key string) trade.Calendar {
	if c, ok := r.calendars[key]; ok {
		return c
	}
	return trade.Calendar{Zone: time.UTC, Holidays: map[trade.Day]bool{}}
}

// Get returns the value of an attribute that is effective at a time. ok is false where nobody has
// stated one, or where it was withdrawn.
func (r Reference) Get(kind, key, attribute string, at time.Time) (value string, ok bool) {
	d, _ := r.find(kind, key, attribute, at)
	return d.value, d.value != ""
}

// find returns the last statement of an attribute that is effective at a time. Its value is empty
// if it withdraws the attribute.
func (r Reference) find(kind, key, attribute string, at time.Time) (d dated, ok bool) {
	for _, d := range slices.Backward(r.values[attributeKey{kind, key, attribute}]) {
		if !d.from.After(at) {
			return d, true
		}
	}
	return d, false
}

// stated returns the ids of the events that state an attribute of a subject, in their order.
func (r Reference) stated(kind, key string) (ids []uuid.UUID) {
	for k, all := range r.values {
		if k.kind == kind && k.key == key {
			for _, d := range all {
				ids = append(ids, d.id)
			}
		}
	}
	slices.SortFunc(ids, func(a, b uuid.UUID) int { return cmp.Compare(a.String(), b.String()) })
	return slices.Compact(ids)
}
