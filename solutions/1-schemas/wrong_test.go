package codec_test

import (
	"context"
	"encoding/binary"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/blotter/labs/1-schemas/codectest"
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
	apply func(*codectest.Fixture)
}

var wrongs = []wrong{
	// publishing
	{"ignores errors of Register", "L1.1", "",
		withRegistry(func(r contract.Registry) contract.Registry { return ignoresErrors{r} })},
	{"publishes only the latest versions", "L1.1", "",
		withRegistry(func(r contract.Registry) contract.Registry { return latestOnly{r} })},
	{"compacts the schema text", "L1.1", "L1.2 L1.3 L1.12 L1.13 L1.14",
		withRegistry(func(r contract.Registry) contract.Registry { return compacting{r} })},
	{"ignores the name of the log", "L1.1", "", func(f *codectest.Fixture) {
		right := f.New
		f.New = func(
			ctx context.Context, r contract.Registry, _ string,
		) (codectest.Codec, error) {
			return right(ctx, r, "desk")
		}
	}},

	// encoding
	{"ids are little-endian", "L1.2",
		"L1.3 L1.5 L1.7 L1.8 L1.9 L1.10 L1.11 L1.12 L1.13 L1.14 L1.15 L1.16 L1.17 L1.24",
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
	{"omits the price source", "L1.3", "L1.4 L1.6", withCodec(func(c *faultyCodec) {
		c.beforeEncode = changing(func(s *trade.Settle) { s.PriceSource = "" })
	})},
	{"wrong schema version and fingerprint", "L1.3", "", withCodec(func(c *faultyCodec) {
		c.afterEncode = func(p contract.Payload) contract.Payload {
			if p.Type != "trade.settled" {
				p.Schema, p.Fingerprint = 99, [32]byte{}
			}
			return p
		}
	})},
	{"one event type for every change", "L1.3", "L1.6", withCodec(func(c *faultyCodec) {
		changes := []string{"trade.amended", "trade.cancelled", "trade.novated", "trade.exercised"}
		c.afterEncode = func(p contract.Payload) contract.Payload {
			if slices.Contains(changes, p.Type) {
				p.Type = "trade.settled"
				binary.BigEndian.PutUint32(p.Data[1:], 0x09090909)
			}
			return p
		}
	})},
	{"payloads share one buffer", "L1.3", "", withCodec(func(c *faultyCodec) {
		buffer := make([]byte, 0, contract.MaxData)
		c.afterEncode = func(p contract.Payload) contract.Payload {
			p.Data = append(buffer, p.Data...)
			return p
		}
	})},
	{"long decimals are little-endian", "L1.3", "L1.5 L1.7",
		withWire(interpreter{transform: reversing("decimal", 6)})},
	{"long texts are reversed", "L1.3", "L1.5 L1.7",
		withWire(interpreter{transform: reversing("string", 40)})},
	{"writes a block for each array item", "L1.3", "", withWire(interpreter{blockPerItem: true})},
	{"writes times in any year", "L1.4", "", withWire(interpreter{anyYear: true})},
	{"times before 1970 become 1970", "L1.3", "L1.4 L1.6", withCodec(func(c *faultyCodec) {
		c.beforeEncode = changing(func(n *trade.New) {
			n.Instrument.Option = changedOption(n, func(o *trade.Option) {
				o.From = atLeast(o.From, time.Unix(0, 0))
				o.Until = atLeast(o.Until, time.Unix(0, 0))
			})
		})
	})},
	{"does not count the prefix", "L1.4", "",
		withTree(func(c *treeCodec) { c.ignoresPrefix = true })},
	{"returns a payload beside an error", "L1.4", "",
		wrapping(func(c codectest.Codec) codectest.Codec { return payloadBesideError{c} })},
	{"rounds prices", "L1.4", "", withCodec(func(c *faultyCodec) {
		c.beforeEncode = changing(func(s *trade.Settle) { s.Price = s.Price.Round(6) })
	})},

	// decoding
	{"reads times in a local zone", "L1.5", "L1.6", withCodec(func(c *faultyCodec) {
		c.afterDecode = changing(func(n *trade.New) {
			n.Instrument.Option = changedOption(n, func(o *trade.Option) {
				o.Until = o.Until.In(trade.BookZone())
			})
		})
	})},
	{"reads only one array block", "L1.5", "", withWire(interpreter{oneBlock: true})},
	{"prices pass through float64", "L1.6", "L1.5", withCodec(func(c *faultyCodec) {
		c.afterDecode = changing(func(s *trade.Settle) {
			f, _ := strconv.ParseFloat(s.Price.String(), 64)
			s.Price = trade.Dec(strconv.FormatFloat(f, 'f', 5, 64))
		})
	})},
	{"accepts truncated data", "L1.7", "L1.10 L1.17 L1.23",
		withCodec(func(c *faultyCodec) { c.accepts = contract.ErrTruncated })},
	{"accepts trailing bytes", "L1.8", "L1.17 L1.23",
		withCodec(func(c *faultyCodec) { c.accepts = contract.ErrTrailing })},
	{"accepts the schema of another type", "L1.9", "L1.12 L1.23",
		withCodec(func(c *faultyCodec) { c.accepts = contract.ErrWrongType })},
	{"checks the type of settlements only", "L1.9", "L1.23",
		withCodec(func(c *faultyCodec) { c.checksSettlementsOnly = true })},
	{"one error joins all faults", "L1.7",
		"L1.5 L1.8 L1.9 L1.10 L1.11 L1.12 L1.13 L1.14 L1.17 L1.24",
		withCodec(func(c *faultyCodec) { c.joinsFaults = true })},
	{"allocates before it checks a length", "L1.10", "",
		withCodec(func(c *faultyCodec) { c.allocatesFirst = true })},
	{"accepts malformed data", "L1.11", "L1.5 L1.10 L1.23",
		withCodec(func(c *faultyCodec) { c.accepts = contract.ErrMalformed })},
	{"ignores block sizes", "L1.11", "", withWire(interpreter{ignoresSizes: true})},
	{"cuts days to 32 bits", "L1.11", "", withWire(interpreter{cutsDays: true})},
	{"reads decimals of any length", "L1.11", "", withWire(interpreter{anyDigits: true})},
	{"reads any nonzero byte as true", "L1.12", "", withWire(interpreter{truthy: true})},
	{"reads ids in any notation", "L1.12", "", withTree(func(c *treeCodec) { c.anyID = true })},
	{"heads are JSON", "L1.12", "",
		wrapping(func(c codectest.Codec) codectest.Codec { return jsonHeads{c} })},
	{"heads are JSON after the prefix", "L1.12", "",
		wrapping(func(c codectest.Codec) codectest.Codec { return prefixedJSONHeads{c} })},

	// ids
	{"asks the registry for every record", "L1.13", "",
		withCodec(func(c *faultyCodec) { c.asksAlways = true })},
	{"concurrent readers all ask the registry", "L1.13", "",
		withTree(func(c *treeCodec) { c.asksConcurrently = true })},
	{"forgets schemas outside the catalog", "L1.13", "",
		withTree(func(c *treeCodec) { c.forgetful = true })},
	{"reports a failing registry as unknown schema", "L1.14", "L1.24",
		withRegistry(func(r contract.Registry) contract.Registry { return hidesErrors{r} })},
	{"remembers unknown ids", "L1.14", "",
		withRegistry(func(r contract.Registry) contract.Registry {
			return &remembersUnknown{Registry: r}
		})},

	// old versions
	{"reads old data under the new schema", "L1.15", "L1.16 L1.17",
		withCodec(func(c *faultyCodec) { c.readsAsLatest = true })},
	{"invents a price source", "L1.15", "", withCodec(func(c *faultyCodec) {
		c.afterOld = changing(func(s *trade.Settle) { s.PriceSource = "unknown" })
	})},
	{"loses the curve of old marks", "L1.16", "", withCodec(func(c *faultyCodec) {
		c.afterOld = changing(func(m *trade.PriceMarked) { m.Curve = "" })
	})},
	{"gives every curve a market", "L1.16", "",
		withTree(func(c *treeCodec) { c.alwaysMarket = true })},
	{"old versions may have trailing bytes", "L1.17", "",
		withCodec(func(c *faultyCodec) { c.lenientHistory = true })},

	// compatibility
	{"swaps BACKWARD and FORWARD", "L1.18", "L1.19", func(f *codectest.Fixture) {
		swap := strings.NewReplacer("BACKWARD", "FORWARD", "FORWARD", "BACKWARD")
		f.Compatible = func(mode contract.Mode, next string, published ...string) error {
			mode = contract.Mode(swap.Replace(string(mode)))
			return codec.Compatible(mode, next, published...)
		}
	}},
	{"ignores unusual types", "L1.18", "L1.19",
		withCompatible(func(_ contract.Mode, next string, _ []string) (bool, error) {
			unusual := []string{`"float"`, `"double"`, `"fixed"`, `"map"`, `"aliases"`}
			return containsAny(next, unusual...), nil
		})},
	{"does not compare nested records", "L1.18", "L1.19 L1.20",
		withCompatible(func(_ contract.Mode, next string, _ []string) (bool, error) {
			return strings.Contains(next, `"In"`), nil
		})},
	{"transitive modes look at the last version", "L1.19", "L1.20", func(f *codectest.Fixture) {
		f.Compatible = func(mode contract.Mode, next string, published ...string) error {
			mode = contract.Mode(strings.TrimSuffix(string(mode), "_TRANSITIVE"))
			return codec.Compatible(mode, next, published...)
		}
	}},
	{"accepts an unknown mode", "L1.18", "",
		withCompatible(func(mode contract.Mode, _ string, _ []string) (bool, error) {
			return mode == "SIDEWAYS", nil
		})},
	{"does not check the first version", "L1.18", "",
		withCompatible(func(_ contract.Mode, _ string, published []string) (bool, error) {
			return len(published) == 0, nil
		})},
	{"does not parse in mode NONE", "L1.18", "",
		withCompatible(func(mode contract.Mode, _ string, _ []string) (bool, error) {
			return mode == contract.None, nil
		})},
	{"ignores scales in nested records", "L1.20", "",
		withCompatible(func(mode contract.Mode, next string, published []string) (bool, error) {
			nested := strings.Contains(next, `"In"`) && strings.Contains(next, "decimal")
			return nested, rulesOfAvro(mode, next, published...)
		})},
	{"ignores scales of nullable fields", "L1.20", "",
		withCompatible(func(mode contract.Mode, next string, published []string) (bool, error) {
			all := strings.Join(append(published, next), "")
			nullable := strings.Contains(all, "null") && !strings.Contains(published[0], "null")
			return nullable, rulesOfAvro(mode, next, published...)
		})},
	{"lets bytes become a decimal", "L1.20", "",
		withCompatible(func(mode contract.Mode, next string, published []string) (bool, error) {
			bytes := len(published) > 0 && strings.Contains(published[0], `"type": "bytes"}]`)
			return bytes, rulesOfAvro(mode, next, published...)
		})},
	{"compares meaning with the last version", "L1.20", "",
		withCompatible(func(mode contract.Mode, next string, published []string) (bool, error) {
			ok := len(published) > 1 &&
				codec.Compatible(mode, next, published[len(published)-1]) == nil
			return ok, rulesOfAvro(mode, next, published...)
		})},
	{"applies only the rules of Avro", "L1.20", "",
		func(f *codectest.Fixture) { f.Compatible = rulesOfAvro }},

	// the producer
	{"the key contains the event id", "L1.21", "L1.22 L1.23 L1.24",
		withProducer(func(p contract.Producer) contract.Producer { return keyWithID{p} })},
	{"does not wait for the brokers", "L1.21", "",
		withProducer(func(p contract.Producer) contract.Producer { return doesNotWait{p} })},
	{"publishes invalid events", "L1.21", "",
		withProducer(func(p contract.Producer) contract.Producer { return ignoresInvalid{p} })},

	// the consumer
	{"handles partitions in parallel", "L1.22", "",
		withConsumer(func(c *faultyConsumer) { c.parallel = true })},
	{"hands over in reverse order", "L1.22", "L1.23 L1.24",
		withConsumer(func(c *faultyConsumer) { c.reversed = true })},
	{"Run ignores its context", "L1.22", "L1.23 L1.24 L1.25 L1.26", func(f *codectest.Fixture) {
		withConsumer(func(c *faultyConsumer) { c.ignoresContext = true })(f)
		f.Patience = time.Second // Run never returns
	}},
	{"ignores errors of parking", "L1.23", "",
		withConsumer(func(c *faultyConsumer) { c.ignoresParkErrors = true })},
	{"commits poison before parking it", "L1.23", "",
		withConsumer(func(c *faultyConsumer) { c.commitsBeforeParking = true })},
	{"parks errors of any length", "L1.23", "",
		withConsumer(func(c *faultyConsumer) { c.longErrors = true })},
	{"parks null as an empty value", "L1.23", "",
		withConsumer(func(c *faultyConsumer) { c.emptyForNull = true })},
	{"skips poison", "L1.23", "", withConsumer(func(c *faultyConsumer) { c.skipsPoison = true })},
	{"parks without the position", "L1.23", "",
		withConsumer(func(c *faultyConsumer) { c.errorHeaderOnly = true })},
	{"stops at poison", "L1.23", "", withConsumer(func(c *faultyConsumer) { c.stops = true })},
	{"parks only some kinds of poison", "L1.23", "",
		withConsumer(func(c *faultyConsumer) { c.narrow = true })},
	{"parks after any error", "L1.24", "",
		withConsumer(func(c *faultyConsumer) { c.parksAll = true })},
	{"parks after typed errors of the handler", "L1.24", "",
		withConsumer(func(c *faultyConsumer) { c.blamesRecord = true })},
	{"commits before handling", "L1.24", "L1.23",
		withConsumer(func(c *faultyConsumer) { c.commitsFirst = true })},
	{"never allows a rebalance", "L1.25", "",
		withConsumer(func(c *faultyConsumer) { c.neverAllows = true })},
	{"allows a rebalance before committing", "L1.25", "",
		withConsumer(func(c *faultyConsumer) { c.allowsEarly = true })},
	{"commits only at the end", "L1.25", "",
		withConsumer(func(c *faultyConsumer) { c.commitsAtEnd = true })},
	{"ignores fetch errors", "L1.26", "",
		withConsumer(func(c *faultyConsumer) { c.ignoresFetchErrors = true })},
}

// Each wrong answer fails the check that is meant to find it and the listed others, and no further
// check. The failure text of the first is a golden file.
func TestSuiteFindsWrongAnswers(t *testing.T) {
	t.Parallel()
	for _, w := range wrongs {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			var also []string
			s, text := suiteOf(t, w), ""
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
			require.NotEmpty(t, text, "%s passed", w.finds)
			text = measured.ReplaceAllString(text, `"many" is not less than "16"`)
			if w.finds == "L1.1" { // it fails for the first type, whose name a new file changes
				text = strings.ReplaceAll(text, schemas.All()[0].Type, "first.type")
			}
			requireGolden(t, w.name, text)
			require.Equal(t, w.also, strings.Join(also, " "))
		})
	}
}

// measured matches the number of allocated MiB. It includes memory that other tests allocate.
var measured = regexp.MustCompile(`"\d+" is not less than "16"`)

// suiteOf always uses a broker in this process, because the test is about the checks.
func suiteOf(t *testing.T, w wrong) check.Suite {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	f := answer(t)
	f.Brokers = []kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...)}
	w.apply(&f)
	return codectest.Suite(f)
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

// A check that finds no wrong answer proves nothing.
func TestEveryCheckFindsAWrongAnswer(t *testing.T) {
	t.Parallel()
	found := map[string]bool{}
	for _, w := range wrongs {
		found[w.finds] = true
	}
	for _, c := range codectest.Suite(answer(t)).Checks {
		require.True(t, found[c.ID], "no wrong answer is meant for %s", c.ID)
	}
}

// Each wrong answer has one golden file, and there is no other.
func TestEveryGoldenHasAWrongAnswer(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/wrong/*.golden")
	require.NoError(t, err)
	require.Len(t, files, len(wrongs))
}
