package console_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	tlogproof "github.com/transparency-dev/formats/proof"

	"example.com/blotter/capstone/console"
)

// now is the time that answers are known at.
var now = time.Date(2026, 1, 9, 12, 0, 0, 0, time.UTC)

// answers returns a source of pages that gives each query its answer.
func answers(answer map[string]any) console.Config {
	return console.Config{
		Now: func(context.Context) (time.Time, error) { return now, nil },
		Ask: func(_ context.Context, query string, values url.Values) ([]byte, error) {
			known := now.Format(time.RFC3339Nano)
			if values.Has("known-at") {
				known = values.Get("known-at")
			}
			return json.Marshal(map[string]any{"answer": answer[query], "known_at": known,
				"effective_at": now})
		},
	}
}

func get(t *testing.T, c console.Config, path string) string {
	w := httptest.NewRecorder()
	console.New(c).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", path, nil))
	require.Equal(t, http.StatusOK, w.Code, w.Body.String())
	return w.Body.String()
}

// The policy of witnesses may change between the check of a proof and that of its altered copy. The
// page shows the checks of both.
func TestTamperWhileThePolicyChanges(t *testing.T) {
	t.Parallel()
	leaf := console.Check{Name: "leaf", Made: true}
	bad := console.Check{Name: "leaf", Made: true, Problem: "it is another leaf"}
	witnesses := console.Check{Name: "witnesses", Made: true}
	const holds, not = `<td><span class="good">holds</span>`, `<td>not made`
	for name, c := range map[string]struct {
		proof, copied []console.Check
		row           string
	}{
		"added": {[]console.Check{leaf}, []console.Check{bad, witnesses}, not + holds},
		"gone":  {[]console.Check{leaf, witnesses}, []console.Check{bad}, holds + not},
		"first": {[]console.Check{leaf, witnesses}, []console.Check{witnesses, bad},
			holds + holds},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config, checked := answers(nil), 0
			config.Prove = func(context.Context, string) ([]byte, error) { return nil, nil }
			config.Read = func([]byte) (tlogproof.TLogProof, error) {
				return tlogproof.TLogProof{ExtraData: []byte("abc")}, nil
			}
			config.Check = func(context.Context, []byte) (console.Checked, error) {
				checked++
				return console.Checked{Checks: [][]console.Check{c.proof, c.copied}[checked-1]}, nil
			}
			text := get(t, config, "/console/tamper?byte=1&event="+uuid.NewString())
			require.Contains(t, text, `witnesses</th>`+c.row)
			require.Contains(t, text, `leaf</th>`+holds+`<td><span class="bad">fails: it is`)
			require.Contains(t, text, "the check “leaf” fails")
		})
	}
}

// A page has at most 1000 trades, and says how many it leaves out.
func TestLongBlotterIsBounded(t *testing.T) {
	t.Parallel()
	trades := make([]map[string]string, 1003)
	for i := range trades {
		trades[i] = map[string]string{"uti": fmt.Sprint("T", i), "book": fmt.Sprint("b", i%2)}
	}
	c := answers(map[string]any{"trades": trades})
	text := get(t, c, "/console/")
	require.Contains(t, text, "1000 trades")
	require.Contains(t, text, "3 more trades are left out")
	require.NotContains(t, text, "T1002")
	text = get(t, c, "/console/?q=book%3Db0")
	require.Contains(t, text, "502 trades")
	require.NotContains(t, text, "left out")
	require.Contains(t, text, "T1002")
}

// A page has the last events that were known, and proves no others. Its links lead to all earlier
// ones, each of which is on one page.
func TestLongHistoryIsBounded(t *testing.T) {
	t.Parallel()
	events := make([]map[string]any, 250)
	for i := range events {
		at := now.Add(time.Duration(i/3-250) * time.Second) // three streams at once
		events[i] = map[string]any{"id": fmt.Sprint("e", i), "recorded_at": at}
	}
	proven := map[string]int{}
	c := answers(map[string]any{"history": events})
	c.Prove = func(_ context.Context, id string) ([]byte, error) { proven[id]++; return nil, nil }
	c.Check = func(context.Context, []byte) (v console.Checked, err error) { return v, nil }
	c.Read = func([]byte) (p tlogproof.TLogProof, err error) { return p, nil }
	earlier := regexp.MustCompile(`known-at=([^"&]+)[^"]*">(\d+) earlier events, as known then`)
	link, pages := "", []string{}
	for {
		text := get(t, c, "/console/transaction?id=x&known-at="+link)
		found := earlier.FindStringSubmatch(text)
		if found == nil {
			break
		}
		link = found[1]
		pages = append(pages, found[2])
	}
	require.Equal(t, []string{"150", "51"}, pages)
	require.Len(t, proven, len(events))
	for id, times := range proven {
		require.Equal(t, 1, times, id)
	}
}
