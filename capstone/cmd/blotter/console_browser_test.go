package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone"
	sample "example.com/blotter/capstone/books"
	"example.com/blotter/capstone/browsertest"
	"example.com/blotter/capstone/lines"
	"example.com/blotter/labs/kit/trade"
	codec "example.com/blotter/solutions/1-schemas"
	store "example.com/blotter/solutions/2-store/memory"
	projection "example.com/blotter/solutions/3-projections"
	readmodel "example.com/blotter/solutions/3-projections/memory"
)

// A reader looks at the console in a browser.
type reader struct {
	t   *testing.T
	tab context.Context
	url string
}

// newReader starts a browser that signs in to the service of v.
func newReader(t *testing.T, v *visitor) *reader {
	signedIn := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Set("Authorization", "Bearer secret")
		v.Handler().ServeHTTP(w, r)
	})
	server := httptest.NewServer(signedIn)
	t.Cleanup(server.Close)
	return &reader{t, browsertest.New(t), server.URL}
}

// goes does steps that lead to another page, and waits for that page.
func (r *reader) goes(steps ...chromedp.Action[chromedp.Void]) {
	r.t.Helper()
	answer, err := chromedp.RunResponse(r.tab, steps...)
	require.NoError(r.t, err)
	if answer.Status != http.StatusOK {
		r.t.Fatalf("%s: %d: %s", answer.URL, answer.Status, r.text("main"))
	}
}

func (r *reader) open(path string) { r.t.Helper(); r.goes(chromedp.Navigate(r.url + path)) }

// text returns the text of the first element of a selector.
func (r *reader) text(selector string) string {
	r.t.Helper()
	text, err := chromedp.Run(r.tab, chromedp.TextContent(chromedp.CSS(selector)))
	require.NoError(r.t, err)
	return text
}

// slide presses an arrow key on the range of a time.
func (r *reader) slide(param, key string) {
	r.t.Helper()
	r.goes(chromedp.SendKeys(chromedp.CSS(`input[type=range][data-for="`+param+`"]`), key))
}

// figure returns the open quantity on the page of a trade.
func (r *reader) figure() string { return r.text(".figure") }

// TestConsoleInBrowser reads the console as a person does: search, open a trade, move both times by
// the keys of their ranges, follow an event to its cause, and see which event somebody with the
// rights of the database's owner has changed.
func TestConsoleInBrowser(t *testing.T) {
	t.Parallel()
	onlyHere(t)
	v := newVisitor(t, "postgres")
	_, err := v.Seal(t.Context())
	require.NoError(t, err)
	v.snapshot("month-end")
	v.ledger()
	r := newReader(t, v)

	r.open("/console/")
	require.Equal(t, "3 trades", r.text("caption"))
	r.goes(chromedp.SendKeys(chromedp.ID("q"), "book=crude status=live\r"))
	require.Equal(t, "1 trades", r.text("caption"))
	r.goes(chromedp.Click(chromedp.CSS("tbody a")))
	require.Equal(t, "Trade T70", r.text("h1"))
	require.Equal(t, "45 bbl", r.figure())

	// known at each of the three events, from the last one back, and forward again
	for _, step := range []struct{ key, open string }{
		{kb.ArrowLeft, "45 bbl"}, {kb.ArrowLeft, "50 bbl"}, {kb.ArrowLeft, "70 bbl"},
		{kb.ArrowRight, "50 bbl"}, {kb.ArrowRight, "45 bbl"},
	} {
		r.slide("known-at", step.key)
		require.Equal(t, step.open, r.figure())
	}
	// effective before the novation, whatever is known of it
	r.slide("effective-at", kb.ArrowLeft)
	require.Equal(t, "45 bbl", r.figure())
	r.slide("effective-at", kb.ArrowLeft)
	require.Equal(t, "70 bbl", r.figure())

	r.open("/console/trade?uti=OIL-FWD-1")
	cause := trade.EventID("f-045", 0).String()
	r.goes(chromedp.Click(chromedp.CSS(`a[href$="#e-` + cause + `"]`)))
	require.Equal(t, "Transaction", r.text("h1"))
	require.Contains(t, r.text("#e-"+cause), "trade.exercised")

	r.open("/console/trade?uti=T70")
	changed := "#e-" + trade.EventID("t-2", 0).String()
	require.Contains(t, r.text(changed+" .good"), "included as leaf")
	r.goes(chromedp.Click(chromedp.CSS(changed + ` a[href*="/tamper?"]`)))
	r.goes(chromedp.SendKeys(chromedp.ID("byte"), "\r"))
	require.Contains(t, r.text("p.bad"), "the check “inclusion” fails")
	v.imports(r)
	v.sql(`UPDATE blotter_model.positions SET quantity = quantity + 1`)
	v.snapshot("changed")
	r.open("/console/snapshots")
	r.goes(chromedp.Click(chromedp.CSS(`a[href*="replay=changed"]`)))
	require.Contains(t, r.text("p.bad"), "another state than changed")
	require.Contains(t, r.text("dl.facts"), "quantity")
	v.tamper("t-2")
	r.open("/console/trade?uti=T70")
	require.Contains(t, r.text(changed+" .bad"), "not proven")
	red, err := chromedp.Run(r.tab, chromedp.Evaluate[int](
		`document.querySelectorAll(".events .bad").length`))
	require.NoError(t, err)
	require.Equal(t, 1, red, "the other events still have their proofs")
	pages := map[string]string{
		"trades": "/console/", "trade": "/console/trade?uti=T70",
		"transaction": "/console/transaction?id=" + cause, "positions": "/console/positions",
		"explain": "/console/explain?from=2025-01-15&to=2025-01-31",
		"curves":  "/console/curves", "snapshots": "/console/snapshots?replay=changed",
		"ledger": "/console/ledger",
		"tamper": "/console/tamper?of=event&event=" + cause + "&byte=200",
		"health": "/console/health",
	}
	r.prints(pages)
	r.tabs(pages)
	if !testing.Short() {
		r.inspect(pages)
	}
}

// tabs walks each page by the Tab key: every link and field gets the focus, in their order, and
// shows it.
func (r *reader) tabs(pages map[string]string) {
	const all = `(() => {
		window.reached = []
		window.wanted = [...document.querySelectorAll(
			"a[href], input:not([type=hidden]), select, button, [tabindex='0']")]
			.filter(e => e.checkVisibility())
		addEventListener("focusin", e => reached.push([e.target, getComputedStyle(e.target)
			.outlineStyle]))
		return wanted.length
	})()`
	const missed = `wanted.flatMap((e, i) => reached[i]?.[0] === e && reached[i][1] !== "none" ?
		[] : [i + ": " + e.outerHTML.slice(0, 200)])`
	for name, path := range pages {
		r.open(path)
		n, err := chromedp.Run(r.tab, chromedp.Evaluate[int](all))
		require.NoError(r.t, err, name)
		require.Greater(r.t, n, 10, name)
		n = min(n, 60) // long pages repeat their links
		require.NoError(r.t, chromedp.Do(r.tab, chromedp.KeyEvent(strings.Repeat(kb.Tab, n))))
		found, err := chromedp.Run(r.tab, chromedp.Evaluate[[]string](
			fmt.Sprintf("wanted.length = %d, %s", n, missed)))
		require.NoError(r.t, err, name)
		require.Empty(r.t, found, name)
	}
}

// prints shows each page as it is printed on A4 from a dark screen. The text outside of forms is
// black on white, and no part of it is hidden, cut, or to be scrolled to.
func (r *reader) prints(pages map[string]string) {
	const lost = `[...document.querySelectorAll("main, main *:not(form, form *, svg title)")]
		.flatMap(e => {
			const style = getComputedStyle(e), box = e.getBoundingClientRect()
			const text = [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())
			const scrolls = e.scrollWidth > e.clientWidth && style.overflowX !== "visible"
			const hidden = !box.width || style.visibility !== "visible"
			const wrong = scrolls ? "scrolls" : !text ? "" : hidden ? "hidden" :
				box.left < 0 || box.right > innerWidth ? "cut" :
				!/^rgb\((0, 0, 0|68, 68, 68)\)$/.test(style.color) ? style.color : ""
			return wrong ? [wrong + ": " + e.outerHTML.slice(0, 200)] : []
		}).concat(getComputedStyle(document.body).backgroundColor)`
	for name, path := range pages {
		r.open(path)
		require.NoError(r.t, chromedp.Do(r.tab, emulated("print", "dark"),
			chromedp.EmulateViewport(718, 1000))) // A4 without margins of 1 cm
		found, err := chromedp.Run(r.tab, chromedp.Evaluate[[]string](lost))
		require.NoError(r.t, err, name)
		require.Equal(r.t, []string{"rgb(255, 255, 255)"}, found, name)
		r.fits(name, 718)
	}
	require.NoError(r.t, chromedp.Do(r.tab, emulated("", "light")))
}

// imports has two importers send a book while the browser reads pages. None ends its import before
// a page was read. The digest of the state is that of direct imports.
func (v *visitor) imports(r *reader) {
	book, err := sample.FS.ReadFile(sample.First)
	require.NoError(v.t, err)
	first, err := os.ReadFile("testdata/console.jsonl")
	require.NoError(v.t, err)
	direct := capstone.New(store.NewSimulated(), codec.Offline(), "test")
	direct.Projection, direct.Project = readmodel.New(codec.Offline()), projection.Project
	direct.AsOf, direct.Simulated = projection.AsOf, true
	for _, text := range [][]byte{first, book} {
		_, err = direct.Import(v.t.Context(), lines.Read(bytes.NewReader(text)),
			func(capstone.Result) {})
		require.NoError(v.t, err)
	}
	want, _, err := direct.StateAsOf(v.t.Context(), trade.AsOf{})
	require.NoError(v.t, err)

	var importers sync.WaitGroup
	answers := make([]*httptest.ResponseRecorder, 2)
	seen, half := make(gate), len(book)/2
	see := sync.OnceFunc(func() { close(seen) })
	defer see()
	for i := range answers {
		importers.Go(func() {
			answers[i] = v.post("/v1/batches?source=first.jsonl", io.MultiReader(
				bytes.NewReader(book[:half]), seen, bytes.NewReader(book[half:])))
		})
	}
	ended := make(chan struct{})
	go func() { importers.Wait(); close(ended) }()
	for {
		r.open("/console/")
		see()
		select {
		case <-ended:
			for _, w := range answers {
				require.Contains(v.t, w.Body.String(), `"result":"done"`)
			}
			system := v.session.System()
			system.Projection, err = v.session.ReadModel(v.t.Context())
			require.NoError(v.t, err)
			got, _, err := system.StateAsOf(v.t.Context(), trade.AsOf{})
			require.NoError(v.t, err)
			require.Equal(v.t, want.Digest(), got.Digest())
			r.open("/console/")
			require.Equal(v.t, fmt.Sprintf("%d trades", len(want.Trades)), r.text("caption"))
			return
		default:
		}
	}
}

// A gate is a part of a body without bytes, which ends when the gate is opened.
type gate chan struct{}

func (g gate) Read([]byte) (int, error) { <-g; return 0, io.EOF }

// post sends a body as the owner of the data folder.
func (v *visitor) post(path string, body io.Reader) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(v.t.Context(), "POST", path, body)
	r.Header.Set("Authorization", "Bearer secret")
	w := httptest.NewRecorder()
	v.Handler().ServeHTTP(w, r)
	return w
}

// tamper changes the reason of a command's event in the database, as its owner can.
func (v *visitor) tamper(command string) {
	events := pgx.Identifier{v.session.Settings().Name.LogSchema(), "events"}.Sanitize()
	v.sql("ALTER TABLE "+events+" DISABLE TRIGGER ALL",
		"UPDATE "+events+" SET reason = 'client stays' WHERE command_id = '"+command+"'")
}

// sql runs statements as the owner of the database.
func (v *visitor) sql(statements ...string) {
	v.t.Helper()
	at, err := v.session.Stack().Postgres(v.t.Context())
	require.NoError(v.t, err)
	owner, err := pgx.Connect(v.t.Context(), at.MigrationDSN)
	require.NoError(v.t, err)
	defer owner.Close(v.t.Context())
	for _, statement := range statements {
		_, err := owner.Exec(v.t.Context(), statement)
		require.NoError(v.t, err)
	}
}

// inspect shows each page in both themes, on a wide and on a narrow screen, and looks for faults of
// accessibility (axe-core, WCAG 2.1 A and AA). It saves pictures to the folder BLOTTER_SCREENSHOTS.
func (r *reader) inspect(pages map[string]string) {
	axe, err := os.ReadFile("../../console/testdata/axe/node_modules/axe-core/axe.min.js")
	if err != nil && os.Getenv("BLOTTER_CI") == "" {
		r.t.Log("axe-core is not installed: npm ci --prefix capstone/console/testdata/axe")
		return
	}
	require.NoError(r.t, err)
	folder := os.Getenv("BLOTTER_SCREENSHOTS")
	for name, path := range pages {
		r.open(path)
		_, err := chromedp.Run(r.tab, chromedp.Evaluate[string](string(axe)+`; axe.version`))
		require.NoError(r.t, err)
		for _, theme := range []string{"light", "dark"} {
			for width, height := range map[int64]int64{1200: 900, 400: 800} {
				require.NoError(r.t, chromedp.Do(r.tab, emulated("", theme),
					chromedp.EmulateViewport(width, height)))
				r.accessible(fmt.Sprintf("%s, %s, %d", name, theme, width))
				r.fits(name, width)
				if folder != "" {
					r.save(filepath.Join(folder, fmt.Sprintf("%s-%s-%d.png", name, theme, width)))
				}
			}
		}
	}
}

// emulated has the pages shown for a medium, such as print, in a theme.
func emulated(medium, theme string) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Media:    medium,
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}},
		})
		return chromedp.Void{}, err
	}
}

// accessible fails for a fault that axe-core calls serious or critical.
func (r *reader) accessible(page string) {
	r.t.Helper()
	found, err := chromedp.Run(r.tab, chromedp.Evaluate[json.RawMessage](`
		axe.run({runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}).then(r => r.violations
			.filter(v => v.impact === "serious" || v.impact === "critical")
			.map(v => ({id: v.id, help: v.help, at: v.nodes.map(n => n.html)})))`,
		browsertest.Awaited))
	require.NoError(r.t, err, page)
	require.Equal(r.t, "[]", string(found), page)
}

// fits fails for a page that is wider than its screen: tables scroll within the page.
func (r *reader) fits(page string, width int64) {
	r.t.Helper()
	wide, err := chromedp.Run(r.tab,
		chromedp.Evaluate[int64](`document.documentElement.scrollWidth`))
	require.NoError(r.t, err)
	require.LessOrEqual(r.t, wide, width, page)
}

func (r *reader) save(file string) {
	r.t.Helper()
	require.NoError(r.t, os.MkdirAll(filepath.Dir(file), 0o755))
	picture, err := chromedp.Run(r.tab, chromedp.FullScreenshot(100))
	require.NoError(r.t, err)
	require.NoError(r.t, os.WriteFile(file, picture, 0o644))
}
