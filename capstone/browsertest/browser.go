// Package browsertest opens pages in a real browser, for tests: Chromium, without a window.
package browsertest

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// patience is the longest time that one test may use the browser: a busy machine is slow.
const patience = 10 * time.Minute

// New returns a tab of a new browser. The browser reaches addresses of this machine only. It ends
// with the test. Where no browser is installed the test is skipped, except in CI, which installs
// one: .tools/setup browser.
func New(t *testing.T) context.Context {
	t.Helper()
	program := find()
	if program == "" && os.Getenv("BLOTTER_CI") == "" {
		t.Skip("no Chromium: .tools/setup browser installs it")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(program), chromedp.NoSandbox, // root has no sandbox
		chromedp.WSURLReadTimeout(patience), chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	ctx, closeBrowser := chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(closeBrowser)
	ctx, closeTab := chromedp.NewContext(ctx)
	t.Cleanup(closeTab)
	return ctx
}

func find() string {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// Awaited makes an evaluation wait for the promise that its expression returns.
func Awaited(p *runtime.EvaluateParams) { p.AwaitPromise = new(true) }
