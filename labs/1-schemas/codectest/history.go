package codectest

import (
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	"example.com/blotter/schemas"
)

// A fact is one body with its bytes under one version of its type's schema. It is the contract
// between the producers and the consumers of that version: a producer wrote the bytes, and a
// consumer reads the body from them today.
//
// Each published version adds facts. Facts never change, because logs are full of them.
type fact struct {
	typ     string
	version int
	avro    string // hexadecimal, without the prefix of the wire format
	body    trade.Body
}

func (f fact) name() string { return fmt.Sprintf("%s version %d", f.typ, f.version) }

func (f fact) bytes() []byte { return unhex(f.avro) }

func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(fmt.Sprintf("codectest: %q: %v", s, err))
	}
	return b
}

// settlement is the worked example of the guide: 2,160 MWh at 83.10.
var settlement = trade.Settle{Quantity: mwh("2160"), Price: trade.Dec("83.10")}

var history = []fact{
	{"trade.new", 1,
		"166f696c2d6f7074696f6e730e484152424f5552107472616465722f330202065454460208626173" +
			"65e8ba02a6bb0202020801e0a6e08080c490fe85960682809da6b5c397060a01badccd8000020800" +
			"98968006df31900645555206fedb08020a5554492d30020800bc614e00", fullTrade},
	{"trade.new", 1,
		"0a706f776572104e4f524457494e44107472616465722f3700040a4252454e5400e8ba02a6bb0200" +
			"0a02540be40002000200065553440200000000", bareTrade},
	{"trade.new", 1,
		"066f696c0e484152424f5552107472616465722f3100040a4252454e5400e8ba02a6bb0202000804" +
			"2c1d80fdfbcd91c7b90601083b9aca0002000630d400065553440200000000", oldTrade},
	{"trade.amended", 1, "0002081dcd650000020200000000",
		trade.Amend{Kind: trade.Amendment, Quantity: mwh("500"), Price: price("0")}},
	{"trade.amended", 1, "02000002107472616465722f39020e534f4c4152495300",
		trade.Amend{Kind: trade.Update, Trader: "trader/9", Counterparty: "SOLARIS"}},
	{"trade.cancelled", 1, "0000020000", trade.Cancel{Kind: trade.Void}},
	{"trade.cancelled", 1, "020202010006d9da6000",
		trade.Cancel{Kind: trade.Terminate, Quantity: mwh("0.000001"), Fee: trade.Dec("-250")}},
	{"trade.novated", 1, "020a00b1251f00000807829b800a5554492d320e534f4c4152495300",
		trade.Novate{
			Role: trade.Remaining, Quantity: mwh("2972"), Fee: trade.Dec("12600"), NewUTI: "UTI-2",
			Incoming: "SOLARIS",
		}},
	{"trade.settled", 1, "0a0080befc00000804f40160", settlement},
	{"trade.settled", 2, "0a0080befc00000804f4016000000000", settlement},
	{"trade.settled", 2,
		"181fe9af604ccc0fb8e360b4780018fc02ca149286856e41c70cb202a401455045582053504f542c" +
			"2047726fc39f68616e64656c3a20766f6c756d652d77656967687465642061766572616765206f66" +
			"20746865206461792d61686561642061756374696f6e73206f66204d61726368000000",
		longSettlement},
	{"trade.settled", 2, "0a0088f8b2800008fdc1cfd0021c45504558206461792d6168656164000000",
		trade.Settle{
			Quantity: mwh("2298"), Price: trade.Dec("-37.63"), PriceSource: "EPEX day-ahead",
		}},
	{"trade.settled", 2, "0a0080befc00000804f4016000028080fcaa93cf9706028080f1a4cb9a980600",
		trade.Settle{
			Quantity: mwh("2160"), Price: trade.Dec("83.10"),
			From: time.Date(2025, 3, 1, 0, 0, 0, 0, time.UTC),
			To:   time.Date(2025, 3, 16, 0, 0, 0, 0, time.UTC),
		}},
	{"trade.settled", 2,
		"0801bf30dc000801a5ba520000000204107175616e746974790c09184e72a0000a746865726d0c00" +
			"f5a636d9800c20bde73640000a70726963650a01e2cc31000a746865726d0c20bde73640000c00f5" +
			"a636d98000", inTherms},
	{"trade.exercised", 1, "0a00ee6b280002080487ab0000020a5554492d3300",
		trade.Exercise{
			Quantity: bbl("4000"), UnderlyingPrice: trade.Dec("76"), Settlement: trade.Physical,
			NewUTI: "UTI-3",
		}},
	{"trade.exercised", 1, "0a0165a0bc000208048b7b90020000",
		trade.Exercise{
			Quantity: bbl("6000"), UnderlyingPrice: trade.Dec("76.25"), Settlement: trade.Cash,
		}},
	{"confirmation.reported", 1,
		"0048" + "30313030303030302d303030302d383030302d383030302d303030303030303030306666" +
			"060c434f4e462d31020a737769667400",
		trade.Confirm{
			Kind: trade.Sent, Event: uuid.UUID{0: 1, 6: 0x80, 8: 0x80, 15: 0xff}, Version: 3,
			Reference: "CONF-1", Method: "swift",
		}},
	{"confirmation.reported", 1,
		"044830313030303030302d303030302d383030302d383030302d3030303030303030303066660a0c43" +
			"4f4e462d310002" + "0a7072696365" + "0a38302e3530" + "00",
		trade.Confirm{
			Kind: trade.Disputed, Event: uuid.UUID{0: 1, 6: 0x80, 8: 0x80, 15: 0xff}, Version: 5,
			Reference:   "CONF-1",
			Differences: []trade.Difference{{Term: "price", Theirs: "80.50"}},
		}},
	{"command.refused", 1,
		"06632d3901000000000000000000000000000000000000000000000000000000000000ff2a717561" +
			"6e746974792e657863656564732d6f70656e3a3530204d5768206f66203430204d57682c20e2809c" +
			"616761696ee2809d287b22636f6d6d616e645f6964223a22632d39227d",
		trade.CommandRefused{
			CommandID: "c-9", Digest: [32]byte{0: 1, 31: 255}, Rule: "quantity.exceeds-open",
			Detail: "50 MWh of 40 MWh, “again”", Line: `{"command_id":"c-9"}`,
		}},
	{"snapshot.taken", 1,
		"126d6f6e74682d656e640100000000000000000000000000000000000000000000000000000000" +
			"0000ff20626c6f747465722f73746174652f763106e030000e00fedfe6a9d1ea9806",
		trade.SnapshotTaken{
			Name: "month-end", Digest: [32]byte{0: 1, 31: 255}, Format: "blotter/state/v1",
			Cursor:          []int64{3120, 0, 7},
			RecordedThrough: time.Date(2025, 3, 31, 21, 59, 59, 999_999_000, time.UTC),
		}},
	{"event.skipped", 1,
		"064830313030303030302d303030302d383030302d383030302d3030303030303030303066662a" +
			"7175616e746974792e657863656564732d6f70656e",
		trade.EventSkipped{
			Version: 3, Event: uuid.UUID{0: 1, 6: 0x80, 8: 0x80, 15: 0xff},
			Rule: "quantity.exceeds-open",
		}},
	{"backfill.adopted", 1,
		"126f6c642e6a736f6e6c010000000000000000000000000000000000000000000000000000000000" +
			"00ff166806",
		trade.BackfillAdopted{
			File: "old.jsonl", Digest: [32]byte{0: 1, 31: 255}, Streams: 11, Events: 52, Breaks: 3,
		}},
	{"price.marked", 1, "1c706f7765722f4345542f626173650645555202e8ba02a6bb020805058d9000",
		trade.PriceMarked{
			Curve: "power/CET/base", Currency: "EUR",
			Points: []trade.Point{{Delivery: march, Price: trade.Dec("84.25")}},
		}},
	{"price.marked", 1, "386f696c2f4252454e542f63616c6c2f37302f323032352d30352d31350655534400",
		trade.PriceMarked{Curve: "oil/BRENT/call/70/2025-05-15", Currency: "USD"}},
	{"price.marked", 1, "0a706f7765720645555200",
		trade.PriceMarked{Curve: "power", Currency: "EUR"}},
	{"price.marked", 1, "0c706f7765722f0645555200",
		trade.PriceMarked{Curve: "power/", Currency: "EUR"}},
	{"price.marked", 2, "064555520002000000", trade.PriceMarked{Curve: "power", Currency: "EUR"}},
	{"price.marked", 2, "06455552000200020000",
		trade.PriceMarked{Curve: "power/", Currency: "EUR"}},
	{"price.marked", 2, "0645555202e8ba02a6bb020805058d9000020002104345542f6261736500",
		trade.PriceMarked{
			Curve: "power/CET/base", Currency: "EUR",
			Points: []trade.Point{{Delivery: march, Price: trade.Dec("84.25")}},
		}},
	{"price.marked", 2, "0645555204e8ba02a6bb020801e0a6e0a6bb02e2bb0202ff000202020654544600",
		trade.PriceMarked{
			Curve: "gas/TTF", Currency: "EUR",
			Points: []trade.Point{
				{Delivery: march, Price: trade.Dec("31.5")},
				{Delivery: april, Price: trade.Dec("-0.000001")},
			},
		}},
	{"price.marked", 2,
		"0647425002e8ba02a6bb020801e0a6e000020202104e42502f6261736502021e706f696e74735b30" +
			"5d2e70726963650812c684c0066b57680c20bde73640000a0861c4680000",
		trade.PriceMarked{
			Curve: "gas/NBP/base", Currency: "GBP",
			Points: []trade.Point{{Delivery: march, Price: trade.Dec("31.5")}},
			Entered: []trade.Entered{{
				Field: "points[0].price", Value: trade.Dec("0.0315"), Unit: trade.KWh,
				Numerator: trade.Dec("3600"), Denominator: trade.Dec("3.6"),
			}},
		}},
	{"price.marked", 2, "0655534400020402304252454e542f63616c6c2f37302f323032352d30352d313500",
		trade.PriceMarked{Curve: "oil/BRENT/call/70/2025-05-15", Currency: "USD"}},
}

// headBytes is head under version 1 of store.head.
const headBytes = "" +
	"1674726164652f5554492d31064832613932303464362d623531382d356439302d396539302d3564" +
	"3237656132323035323182c088b0c1e3980600000000000000000000000000000000000000000000" +
	"00000000000000000001" +
	"0000000000000000000000000000000000000000000000000000000000000002" + "01"

var head = contract.Head{
	Stream: "trade/UTI-1", Version: 3, EventID: uuid.NewSHA1(uuid.Nil, []byte("head")),
	RecordedAt: time.Date(2025, 3, 30, 12, 0, 0, 1000, time.UTC),
	Digest:     [32]byte{31: 1}, History: [32]byte{31: 2}, Ended: true,
}

// factsOf returns the facts of one version.
func factsOf(typ string, version int) []fact {
	var found []fact
	for _, f := range history {
		if f.typ == typ && f.version == version {
			found = append(found, f)
		}
	}
	return found
}

// latestFacts returns the facts of the latest version of each type.
func latestFacts() []fact {
	var found []fact
	for _, f := range history {
		if f.version == latestSchema(f.typ).Version {
			found = append(found, f)
		}
	}
	return found
}

// latestFact returns the last fact of a type's latest version.
func latestFact(typ string) fact {
	facts := factsOf(typ, latestSchema(typ).Version)
	return facts[len(facts)-1]
}

func latestSchema(typ string) schemas.Schema {
	s, ok := schemas.Latest(typ)
	if !ok {
		panic("codectest: no type " + typ)
	}
	return s
}

func mwh(value string) trade.Quantity {
	return trade.Quantity{Value: trade.Dec(value), Unit: trade.MWh}
}

func bbl(value string) trade.Quantity {
	return trade.Quantity{Value: trade.Dec(value), Unit: trade.BBL}
}

func price(value string) *trade.Decimal {
	d := trade.Dec(value)
	return &d
}

// march and april of 2025, as days since 1970.
var (
	march = trade.Period{Start: 20148, End: 20179}
	april = trade.Period{Start: 20179, End: 20209}
)

// inTherms is a settlement of British gas. Its quantity and its price were entered in therms.
var inTherms = trade.Settle{
	Quantity: mwh("29.3071"), Price: trade.Dec("27.638354"),
	Entered: []trade.Entered{
		{
			Field: "quantity", Value: trade.Dec("1000"), Unit: trade.Therm,
			Numerator: trade.Dec("105.50556"), Denominator: trade.Dec("3600"),
		},
		{
			Field: "price", Value: trade.Dec("0.81"), Unit: trade.Therm,
			Numerator: trade.Dec("3600"), Denominator: trade.Dec("105.50556"),
		},
	},
}

// longSettlement has all 28 digits of a decimal with each sign, and a text whose length takes two
// bytes.
var longSettlement = trade.Settle{
	Quantity: mwh("9876543210987654321098.765432"),
	Price:    trade.Dec("-1234567890123456789012.345678"),
	PriceSource: "EPEX SPOT, Großhandel: " +
		"volume-weighted average of the day-ahead auctions of March",
}

// oldTrade is an option with a window before 1970, where the count of microseconds is negative.
var oldTrade = trade.New{
	Book: "oil", Counterparty: "HARBOUR", Trader: "trader/1", Side: trade.Buy,
	Instrument: trade.Instrument{
		Commodity: trade.Oil, Zone: "BRENT", Delivery: march,
		Option: &trade.Option{
			Kind: trade.Call, Strike: trade.Dec("70"),
			From:  time.Date(1969, 7, 20, 20, 17, 40, 1000, time.UTC),
			Until: time.Date(1969, 12, 31, 23, 59, 59, 999_999_000, time.UTC),
		},
	},
	Quantity: bbl("1000"), Price: trade.Dec("3.2"), Currency: "USD",
}

// fullTrade has every optional field.
var fullTrade = trade.New{
	Book: "oil-options", Counterparty: "HARBOUR", Trader: "trader/3", Side: trade.Sell,
	Instrument: trade.Instrument{
		Commodity: trade.Gas, Zone: "TTF", Profile: "base", Delivery: march,
		Option: &trade.Option{
			Kind: trade.Put, Strike: trade.Dec("31.5"),
			From:  time.Date(2025, 1, 20, 0, 0, 0, 0, time.UTC),
			Until: time.Date(2025, 2, 26, 16, 0, 0, 1000, time.UTC),
		},
	},
	Quantity: mwh("7430"), Capacity: trade.Dec("10"), Price: trade.Dec("-2.15"), Currency: "EUR",
	Fee: trade.Dec("-7.5"), PriorUTI: "UTI-0", CarriedIn: trade.Dec("1234.5678"),
}

// bareTrade has no optional field.
var bareTrade = trade.New{
	Book: "power", Counterparty: "NORDWIND", Trader: "trader/7", Side: trade.Buy,
	Instrument: trade.Instrument{Commodity: trade.Oil, Zone: "BRENT", Delivery: march},
	Quantity:   bbl("10000"), Price: trade.Dec("0"), Currency: "USD",
}
