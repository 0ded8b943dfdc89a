package codec_test

import (
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/blotter/labs/1-schemas/codectest"
	"example.com/blotter/labs/cmd/lab/grade/gradetest"
	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	"example.com/blotter/schemas"
	codec "example.com/blotter/solutions/1-schemas"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// A wrong answer is a right answer with one deliberate fault.
type wrong struct {
	name  string // the fault
	finds string // the check that is meant to find it; testdata/wrong has its failure text
	also  string // the other checks that fail; no further check may fail
	hint  string // words of the hint that is meant for this mistake
	apply func(*codectest.Fixture)
}

var wrongs = []wrong{
	// one type by hand
	{"lengths are not zig-zag", "L1.1", "L1.2 L1.20", "zig-zag varint",
		encodesSettled(nil, func(data []byte) []byte { data[prefixSize] >>= 1; return data })},
	{"decimals lose their sign byte", "L1.1", "L1.2 L1.20", "a first bit of 1 would mean minus",
		encodesSettled(nil, func(data []byte) []byte {
			if data[prefixSize+1] != 0 {
				return data
			}
			data[prefixSize] -= 2
			return slices.Delete(data, prefixSize+1, prefixSize+2)
		})},
	{"the id is little-endian", "L1.1", "L1.2 L1.20", "the largest first",
		encodesSettled(nil, func(data []byte) []byte {
			slices.Reverse(data[1:prefixSize])
			return data
		})},
	{"omits the price source", "L1.2", "L1.3 L1.20", "a value is branch 1",
		encodesSettled(func(s *trade.Settle) { s.PriceSource = "" }, nil)},
	{"writes times in milliseconds", "L1.2", "L1.3 L1.20", "microseconds since 1970",
		encodesSettled(func(s *trade.Settle) {
			if !s.From.IsZero() {
				s.From = time.UnixMicro(s.From.UnixMilli())
			}
		}, nil)},
	{"rounds prices", "L1.3", "", "refuses more places",
		encodesSettled(func(s *trade.Settle) { s.Price = s.Price.Round(6) }, nil)},
	{"settles power as energy", "L1.3", "", "power is not a quantity",
		encodesSettled(func(s *trade.Settle) {
			if s.Quantity.Unit == trade.MW {
				s.Quantity.Unit = trade.MWh
			}
		}, nil)},
	{"repairs texts that are not UTF-8", "L1.3", "", "utf8.ValidString",
		encodesSettled(func(s *trade.Settle) {
			s.PriceSource = strings.ToValidUTF8(s.PriceSource, "?")
		}, nil)},
	{"cuts times to microseconds", "L1.3", "", "refuses a nanosecond",
		encodesSettled(func(s *trade.Settle) { s.From = s.From.Truncate(time.Microsecond) }, nil)},
	{"rounds quantities", "L1.3", "", "for the quantity, too",
		encodesSettled(func(s *trade.Settle) {
			s.Quantity.Value = s.Quantity.Value.Round(6)
		}, nil)},
	{"cuts the end to microseconds", "L1.3", "", "for to, too",
		encodesSettled(func(s *trade.Settle) { s.To = s.To.Truncate(time.Microsecond) }, nil)},
	{"repairs entered fields", "L1.3", "", "writeEntered refuses",
		encodesSettled(func(s *trade.Settle) {
			s.Entered = slices.Clone(s.Entered)
			for i := range s.Entered {
				s.Entered[i].Field = strings.ToValidUTF8(s.Entered[i].Field, "?")
			}
		}, nil)},
	{"reads times in a local zone", "L1.4", "", "a time is in UTC",
		decodesSettled(func(s *trade.Settle, err error) error {
			if !s.From.IsZero() {
				s.From = s.From.In(trade.BookZone())
			}
			return err
		})},
	{"accepts truncated settlements", "L1.5", "L1.20", "BEFORE you judge any value",
		acceptsSettled(contract.ErrTruncated)},
	{"judges values before the end", "L1.5", "", "BEFORE you judge any value",
		decodesSettled(func(_ *trade.Settle, err error) error {
			if errors.Is(err, contract.ErrTruncated) {
				return contract.ErrMalformed
			}
			return err
		})},
	{"accepts trailing bytes", "L1.6", "L1.20", "no input is left",
		acceptsSettled(contract.ErrTrailing)},
	{"believes what it reads", "L1.20", "", "only claims",
		acceptsSettled(contract.ErrMalformed)},

	// publishing
	{"publishes only the latest versions", "L1.7", "", "publish old versions",
		withRegistry(func(r contract.Registry) contract.Registry { return latestOnly{r} })},
	{"compacts the schema text", "L1.7", "L1.9 L1.10 L1.16 L1.17 L1.19 L1.38 L1.39",
		"another layout",
		withRegistry(func(r contract.Registry) contract.Registry { return compacting{r} })},
	{"ignores the name of the log", "L1.7", "L1.38 L1.39", "name, a dash and the type",
		func(f *codectest.Fixture) {
			right := f.New
			f.New = func(
				ctx context.Context, r contract.Registry, _ string,
			) (codectest.Codec, error) {
				return right(ctx, r, "desk")
			}
		}},
	{"ignores errors of Register", "L1.8", "", "return the error of Register",
		withRegistry(func(r contract.Registry) contract.Registry { return ignoresErrors{r} })},

	// encoding
	{"ids are little-endian", "L1.9", "L1.10 L1.12 L1.14 L1.15 L1.16 L1.17 L1.18 L1.19 L1.21 " +
		"L1.36 L1.38 L1.39", "prefixOf",
		withCodec(func(c *faultyCodec) {
			c.afterEncode = func(p contract.Payload) contract.Payload {
				slices.Reverse(p.Data[1:prefixSize])
				return p
			}
			c.beforeDecode = func(data []byte) []byte {
				if len(data) >= prefixSize {
					slices.Reverse(data[1:prefixSize])
				}
				return data
			}
		})},
	{"wrong schema version and fingerprint", "L1.10", "L1.38", "the fingerprint of the type",
		withCodec(func(c *faultyCodec) {
			c.afterEncode = func(p contract.Payload) contract.Payload {
				if p.Type != "trade.settled" {
					p.Schema, p.Fingerprint = 99, [32]byte{}
				}
				return p
			}
		})},
	{"one event type for every change", "L1.10", "L1.13 L1.38", "take the format",
		withCodec(func(c *faultyCodec) {
			changes := []string{
				"trade.amended", "trade.cancelled", "trade.novated", "trade.exercised",
			}
			c.afterEncode = func(p contract.Payload) contract.Payload {
				if slices.Contains(changes, p.Type) {
					p.Type = "trade.settled"
					binary.BigEndian.PutUint32(p.Data[1:], 0x09090909)
				}
				return p
			}
		})},
	{"payloads share one buffer", "L1.10", "", "its own memory",
		withCodec(func(c *faultyCodec) {
			buffer := make([]byte, 0, contract.MaxData)
			c.afterEncode = func(p contract.Payload) contract.Payload {
				p.Data = append(buffer, p.Data...)
				return p
			}
		})},
	{"does not count the prefix", "L1.11", "", "the prefix counts",
		withTree(func(c *treeCodec) { c.ignoresPrefix = true })},
	{"returns a payload beside an error", "L1.11", "", "no payload beside",
		wrapping(func(c codectest.Codec) codectest.Codec { return payloadBesideError{c} })},

	// decoding
	{"knows the ids of settlements only", "L1.12", "L1.13 L1.18 L1.19", "find the schema by the id",
		withCodec(func(c *faultyCodec) { c.knowsSettlementsOnly = true })},
	{"prices pass through float64", "L1.13", "L1.12 L1.16 L1.17 L1.21", "change nothing in it",
		withCodec(func(c *faultyCodec) {
			c.afterDecode = changing(func(s *trade.Settle) {
				f, _ := strconv.ParseFloat(s.Price.String(), 64)
				s.Price = trade.Dec(strconv.FormatFloat(f, 'f', 5, 64))
			})
		})},
	{"hides the errors of the reader", "L1.14", "", "wrapped with %w",
		withCodec(func(c *faultyCodec) {
			c.mistakes = map[error]error{
				contract.ErrTruncated: contract.ErrMalformed,
				contract.ErrTrailing:  contract.ErrMalformed,
			}
		})},
	{"reads the id before the first byte", "L1.14", "", "look at the first byte",
		withCodec(func(c *faultyCodec) {
			c.mistakes = map[error]error{contract.ErrMagic: contract.ErrUnknownSchema}
		})},
	{"has no limit when it decodes", "L1.14", "", "compare the length of the data",
		withCodec(func(c *faultyCodec) {
			c.mistakes = map[error]error{contract.ErrOversize: contract.ErrTrailing}
		})},
	{"accepts the schema of another type", "L1.14", "L1.12 L1.34", "compare the schema's type",
		withCodec(func(c *faultyCodec) { c.accepts = contract.ErrWrongType })},
	{"checks the type of settlements only", "L1.14", "L1.34", "compare the schema's type",
		withCodec(func(c *faultyCodec) { c.checksSettlementsOnly = true })},
	{"one error joins all faults", "L1.14", "L1.12 L1.16 L1.17 L1.36", "too early",
		withCodec(func(c *faultyCodec) { c.joinsFaults = true })},

	// old versions
	{"reads old data under the new schema", "L1.15", "L1.18", "under the schema that the prefix " +
		"names",
		withCodec(func(c *faultyCodec) { c.readsAsLatest = true })},
	{"invents a price source", "L1.15", "", "upcast",
		withCodec(func(c *faultyCodec) {
			c.afterOld = changing(func(s *trade.Settle) { s.PriceSource = "unknown" })
		})},

	// ids
	{"asks the registry for every record", "L1.16", "L1.21", "ask for others only",
		withCodec(func(c *faultyCodec) { c.asksAlways = true })},
	{"accepts schemas outside the catalog", "L1.16", "", "schemas.Identify",
		withCodec(func(c *faultyCodec) { c.acceptsOutside = true })},
	{"forgets schemas outside the catalog", "L1.16", "", "stays outside",
		withTree(func(c *treeCodec) { c.forgetful = true })},
	{"reports a failing registry as unknown schema", "L1.17", "L1.36", "return its own error",
		withRegistry(func(r contract.Registry) contract.Registry { return hidesErrors{r} })},
	{"remembers unknown ids", "L1.17", "", "ask again",
		withRegistry(func(r contract.Registry) contract.Registry {
			return &remembersUnknown{Registry: r}
		})},
	{"concurrent readers all ask the registry", "L1.21", "", "waits for its answer",
		withTree(func(c *treeCodec) { c.asksConcurrently = true })},

	// the split
	{"loses the curve of old marks", "L1.18", "", "the two parts of the curve",
		withCodec(func(c *faultyCodec) {
			c.afterOld = changing(func(m *trade.PriceMarked) { m.Curve = "" })
		})},
	{"gives every curve a market", "L1.18", "", "the two parts of the curve",
		withTree(func(c *treeCodec) { c.alwaysMarket = true })},
	{"takes an empty market for none", "L1.19", "L1.38", "tell no market from an empty market",
		withCodec(func(c *faultyCodec) {
			c.beforeEncode = changing(func(m *trade.PriceMarked) {
				m.Curve = strings.TrimSuffix(m.Curve, "/")
			})
		})},

	// compatibility
	{"swaps the reader and the writer", "L1.22", "", "in this order",
		func(f *codectest.Fixture) {
			f.Readable = func(reader, writer string) error { return codec.Readable(writer, reader) }
		}},
	{"ignores unusual types", "L1.22", "", "the library has",
		withReadable(func(reader, _ string) (bool, error) {
			unusual := []string{`"float"`, `"double"`, `"fixed"`, `"map"`, `"aliases"`}
			return containsAny(reader, unusual...), nil
		})},
	{"does not compare nested records", "L1.22", "L1.23", "the library has",
		withReadable(func(reader, _ string) (bool, error) {
			return strings.Contains(reader, `"In"`), nil
		})},
	{"has no typed error for a text that is no schema", "L1.22", "", "error of parseSchema",
		withReadable(func(reader, writer string) (bool, error) {
			return reader == "{" || writer == "{", errors.New("unexpected end of JSON input")
		})},
	{"knows only the logical types of the library", "L1.23", "", "logicalType (resolve.go) does",
		withReadable(func(reader, writer string) (bool, error) {
			return strings.Contains(reader, "nanos"), nil
		})},
	{"applies only the rules of Avro", "L1.23", "", "precision and its scale",
		func(f *codectest.Fixture) { f.Readable = readableByAvro }},
	{"ignores scales in nested records", "L1.23", "", "goes into records",
		withReadable(func(reader, writer string) (bool, error) {
			nested := strings.Contains(reader, `"In"`) && strings.Contains(reader, "decimal")
			return nested, readableByAvro(reader, writer)
		})},
	{"ignores scales of nullable fields", "L1.23", "", "a union meets a plain type",
		withReadable(func(reader, writer string) (bool, error) {
			nullable := strings.Contains(reader+writer, "null") && !strings.Contains(writer, "null")
			return nullable, readableByAvro(reader, writer)
		})},
	{"lets bytes become a decimal", "L1.23", "", "without a logical type",
		withReadable(func(reader, writer string) (bool, error) {
			return strings.Contains(writer, `"type": "bytes"}]`), readableByAvro(reader, writer)
		})},
	{"swaps BACKWARD and FORWARD", "L1.24", "L1.25", "which schema is the reader's",
		func(f *codectest.Fixture) {
			swap := strings.NewReplacer("BACKWARD", "FORWARD", "FORWARD", "BACKWARD")
			f.Compatible = func(mode contract.Mode, next string, published ...string) error {
				mode = contract.Mode(swap.Replace(string(mode)))
				return codec.Compatible(mode, next, published...)
			}
		}},
	{"transitive modes look at the last version", "L1.25", "", "the mode decides which",
		func(f *codectest.Fixture) {
			f.Compatible = func(mode contract.Mode, next string, published ...string) error {
				mode = contract.Mode(strings.TrimSuffix(string(mode), "_TRANSITIVE"))
				return codec.Compatible(mode, next, published...)
			}
		}},
	{"compares meaning with the last version", "L1.25", "", "every version that the mode looks at",
		withCompatible(func(mode contract.Mode, next string, published []string) (bool, error) {
			ok := len(published) > 1 &&
				codec.Compatible(mode, next, published[len(published)-1]) == nil
			return ok, rulesOfAvro(mode, next, published...)
		})},
	{"accepts an unknown mode", "L1.26", "", "list of known modes",
		withCompatible(func(mode contract.Mode, _ string, _ []string) (bool, error) {
			return mode == "SIDEWAYS", nil
		})},
	{"does not check the first version", "L1.26", "", "there may be none",
		withCompatible(func(mode contract.Mode, _ string, published []string) (bool, error) {
			return mode == contract.Backward && len(published) == 0, nil
		})},
	{"does not parse in mode NONE", "L1.26", "", "this is none",
		withCompatible(func(mode contract.Mode, _ string, _ []string) (bool, error) {
			return mode == contract.None, nil
		})},

	// the producer
	{"the key contains the event id", "L1.27", "L1.29 L1.31 L1.33 L1.35 L1.36 L1.39",
		"the stream is the key",
		withProducer(func(p contract.Producer) contract.Producer { return keyWithID{p} })},
	{"does not wait for the brokers", "L1.28", "", "wait for the result",
		withProducer(func(p contract.Producer) contract.Producer { return doesNotWait{p} })},
	{"publishes invalid events", "L1.28", "", "ask it before you send",
		withProducer(func(p contract.Producer) contract.Producer { return ignoresInvalid{p} })},

	// the consumer
	{"hands over in reverse order", "L1.29", "L1.31 L1.33 L1.34 L1.35 L1.36",
		"in the order of the fetch",
		withConsumer(func(c *faultyConsumer) { c.reversed = true })},
	{"handles partitions in parallel", "L1.30", "", "in the goroutine of Run",
		withConsumer(func(c *faultyConsumer) { c.parallel = true })},
	{"Run ignores its context", "L1.31", "L1.30 L1.32 L1.33 L1.34 L1.35 L1.36 L1.37", "look at " +
		"the context",
		func(f *codectest.Fixture) {
			withConsumer(func(c *faultyConsumer) { c.ignoresContext = true })(f)
			f.Patience = time.Second / 4 // Run never returns
		}},
	{"fails when the handler is interrupted", "L1.31", "", "unlessEnded",
		withConsumer(func(c *faultyConsumer) { c.failsAtEnd = true })},
	{"never allows a rebalance", "L1.32", "", "only then AllowRebalance",
		withConsumer(func(c *faultyConsumer) { c.neverAllows = true })},
	{"allows a rebalance before committing", "L1.32", "", "only then AllowRebalance",
		withConsumer(func(c *faultyConsumer) { c.allowsEarly = true })},
	{"commits only at the end", "L1.32", "", "only then AllowRebalance",
		withConsumer(func(c *faultyConsumer) { c.commitsAtEnd = true })},

	// poison
	{"skips poison", "L1.33", "L1.34 L1.35", "copy key, value and headers",
		withConsumer(func(c *faultyConsumer) { c.skipsPoison = true })},
	{"stops at poison", "L1.33", "L1.34 L1.35", "park returns nil",
		withConsumer(func(c *faultyConsumer) { c.stops = true })},
	{"parks without the position", "L1.33", "L1.34", "topic, partition and offset",
		withConsumer(func(c *faultyConsumer) { c.errorHeaderOnly = true })},
	{"parks null as an empty value", "L1.33", "", "a null stays null",
		withConsumer(func(c *faultyConsumer) { c.emptyForNull = true })},
	{"parks with the time of the record", "L1.33", "", "timestamp to the client",
		withConsumer(func(c *faultyConsumer) { c.keepsTime = true })},
	{"parks only some kinds of poison", "L1.34", "", "the record itself causes",
		withConsumer(func(c *faultyConsumer) { c.narrow = true })},
	{"parks errors of any length", "L1.34", "", "truncate the error",
		withConsumer(func(c *faultyConsumer) { c.longErrors = true })},
	{"ignores errors of parking", "L1.35", "", "return the error of the parked copy",
		withConsumer(func(c *faultyConsumer) { c.ignoresParkErrors = true })},
	{"commits poison before parking it", "L1.35", "", "commit AFTER the copy",
		withConsumer(func(c *faultyConsumer) { c.commitsBeforeParking = true })},

	// failures
	{"parks after any error", "L1.36", "", "return the error from Run",
		withConsumer(func(c *faultyConsumer) { c.parksAll = true })},
	{"parks after typed errors of the handler", "L1.36", "", "return the error from Run",
		withConsumer(func(c *faultyConsumer) { c.blamesRecord = true })},
	{"commits before handling", "L1.36", "L1.31 L1.35", "not the record itself",
		withConsumer(func(c *faultyConsumer) { c.commitsFirst = true })},
	{"ignores fetch errors", "L1.37", "", "AFTER its records are handled",
		withConsumer(func(c *faultyConsumer) { c.ignoresFetchErrors = true })},

	// the JSON form
	{"hands over JSON as it came", "L1.38", "L1.39", "Data is of Avro",
		withJSON(func(_ *codec.JSONForm, e, _ contract.Event, err error) (contract.Event, error) {
			return e, err
		})},
	{"keeps the id of the JSON Schema", "L1.38", "L1.39", "prefixOf the id of the schema in Avro",
		withJSON(func(_ *codec.JSONForm, e, got contract.Event, err error) (contract.Event, error) {
			if err == nil {
				got.Data = append(slices.Clone(e.Data[:prefixSize]), got.Data[prefixSize:]...)
			}
			return got, err
		})},
	{"believes the headers of JSON", "L1.38", "", "whatever the headers claim",
		withJSON(func(_ *codec.JSONForm, e, got contract.Event, err error) (contract.Event, error) {
			got.Schema, got.Fingerprint = e.Schema, e.Fingerprint
			return got, err
		})},
	{"takes bad JSON for its own failure", "L1.39", "", "the data is at fault",
		withJSON(func(_ *codec.JSONForm, _, got contract.Event, err error) (contract.Event, error) {
			if err != nil && strings.Contains(err.Error(), contract.ErrUnencodable.Error()) {
				err = contract.ErrUnencodable
			}
			return got, err
		})},
	{"reads JSON of another type", "L1.39", "", "compare the type of the id's schema",
		withJSON(func(
			j *codec.JSONForm, e, got contract.Event, err error,
		) (contract.Event, error) {
			if errors.Is(err, contract.ErrWrongType) {
				e.Type = "trade.settled"
				return j.Avro(context.Background(), e)
			}
			return got, err
		})},
	{"decodes every record as Avro", "L1.39", "", "decodes with c.decode",
		func(f *codectest.Fixture) {
			f.BothForms = func(
				client *kgo.Client, parked string, c contract.Codec, _ contract.JSONCodec,
			) contract.Consumer {
				return codec.NewConsumer(client, parked, c)
			}
		}},
}

// Each wrong answer fails the check that is meant to find it and the listed others, and no further
// check. The failure text of the first is a golden file, and it has the hint for this mistake.
func TestSuiteFindsWrongAnswers(t *testing.T) {
	t.Parallel()
	for _, w := range wrongs {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			var also []string
			text := ""
			for _, s := range suitesOf(t, w) {
				if testing.Short() { // only the long run shows that the other checks pass
					expected := append(strings.Fields(w.also), w.finds)
					s.Checks = slices.DeleteFunc(s.Checks, func(c check.Check) bool {
						return !slices.Contains(expected, c.ID)
					})
				}
				for _, v := range check.JudgeAll(t.Context(), s) {
					switch {
					case v.Check.ID == w.finds:
						text = v.Text
					case v.Outcome != check.Passed:
						also = append(also, v.Check.ID)
					}
				}
			}
			require.NotEmpty(t, text, "%s passed", w.finds)
			if w.finds == "L1.7" { // it fails for the first type, whose name a new file changes
				text = strings.ReplaceAll(text, schemas.All()[0].Type, "first.type")
			}
			requireGolden(t, w.name, text)
			require.Equal(t, w.also, strings.Join(also, " "))
			_, hints, _ := strings.Cut(text, "\nhint: ")
			require.Contains(t, hints, w.hint, "the hint for this mistake")
		})
	}
}

// suitesOf always uses a broker in this process, because the test is about the checks.
func suitesOf(t *testing.T, w wrong) []check.Suite {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	f := answer(t)
	f.Brokers = []kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...)}
	w.apply(&f)
	return codectest.Suites(f)
}

func requireGolden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", "wrong", strings.ReplaceAll(name, " ", "-")+".golden")
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), got, "go test ./solutions/1-schemas -run WrongAnswers -update")
}

// The lists of each wrong answer are exact (above), so its score is, too.
func TestScoresOfWrongAnswers(t *testing.T) {
	t.Parallel()
	var scores gradetest.Scores
	for _, w := range wrongs {
		suites := codectest.Suites(codectest.Fixture{})
		scores.Add(w.name, suites, strings.Fields(w.finds+" "+w.also))
	}
	scores.Compare(t, *update)
}

// A check that finds no wrong answer proves nothing.
func TestEveryCheckFindsAWrongAnswer(t *testing.T) {
	t.Parallel()
	found := map[string]bool{}
	for _, w := range wrongs {
		found[w.finds] = true
	}
	for _, s := range codectest.Suites(answer(t)) {
		for _, c := range s.Checks {
			require.True(t, found[c.ID], "no wrong answer is meant for %s", c.ID)
		}
	}
}

// Each wrong answer has one golden file, and there is no other.
func TestEveryGoldenHasAWrongAnswer(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/wrong/*.golden")
	require.NoError(t, err)
	require.Len(t, files, len(wrongs))
}
