package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Budgets for a log of a million events: the peak resident memory of a process, and the slowdown of
// a question against a log of a hundredth of the length. The machine may be busy: TestScale reports
// a value over its budget, and fails only at tolerance times the budget.
const (
	importBudget = 450 << 20 // bytes, however long the log
	keeperBudget = 80 << 20  // and keeperPerEvent more for each event
	perEvent     = 160
	slowerBudget = 1.5
	tolerance    = 3
)

// TestScale imports a long log beside other work, and compares it with a log of a hundredth of the
// length: the peak memory of the processes, and the time of the same questions. BLOTTER_SCALE is
// the number of events. Without it the test is small and only shows that the measuring works. See
// make scale.
func TestScale(t *testing.T) {
	events, runs := 2000, 3
	text := os.Getenv("BLOTTER_SCALE")
	switch {
	case text == "" && testing.Short():
		t.Skip("it asks many questions")
	case text == "":
		t.Parallel()
	default:
		var err error
		events, err = strconv.Atoi(text)
		require.NoError(t, err, "BLOTTER_SCALE")
		runs = 15
	}
	s := &scale{t: t, dir: passableDir(t)}
	short, long := s.log("short", max(events/100, 100)), s.log("long", events)
	short.imported(short.importing().wait())
	short.ask("position")

	peak := s.whileImporting(long, short)
	first := long.ask("position")
	s.say("first position", "%.1f s for the read model, %s at its peak", first.took.Seconds(),
		megabytes(first.peak))
	s.say("keeper, peak memory", "%s, after the whole log was read",
		megabytes(memory(long.keeper, "VmHWM")))
	ratios := s.compare(short, long, runs)
	if text == "" {
		return
	}
	s.within("import, peak memory", float64(peak), importBudget)
	s.within("keeper, peak memory", float64(memory(long.keeper, "VmHWM")),
		float64(keeperBudget+perEvent*events))
	for question, ratio := range ratios {
		s.within(question+", times as slow", ratio, slowerBudget)
	}
}

// whileImporting imports lines into one log and asks another log questions meanwhile. It returns
// the import's peak memory.
func (s *scale) whileImporting(long, other *scaleLog) int64 {
	began, before := time.Now(), memory(long.keeper, "RssAnon")
	importing := long.importing()
	var meanwhile []time.Duration
	for importing.running() {
		for _, question := range questions {
			meanwhile = append(meanwhile, other.ask(question).took)
		}
	}
	done := importing.wait()
	n := long.imported(done)
	took, grown := time.Since(began), memory(long.keeper, "RssAnon")-before
	s.say("keeper, after import", "%s; anonymous memory: %d bytes for each line",
		megabytes(memory(long.keeper, "VmHWM")), grown/int64(n.Lines))
	s.say("import", "%d lines in %.0f s, %.0f a second; the log has %d events", n.Lines,
		took.Seconds(), float64(n.Lines)/took.Seconds(), long.events())
	s.say("import, peak memory", "%s", megabytes(done.peak))
	if len(meanwhile) > 0 {
		s.say("meanwhile", "%d questions to the other log, half of them answered within %d ms",
			len(meanwhile), median(meanwhile).Milliseconds())
	}
	return done.peak
}

// compare asks both logs in turns, so that other work of the machine slows down both.
func (s *scale) compare(short, long *scaleLog, runs int) map[string]float64 {
	ratios := map[string]float64{}
	for _, question := range questions {
		var took [2][]time.Duration
		for range runs {
			for i, l := range []*scaleLog{short, long} {
				took[i] = append(took[i], l.ask(question).took)
			}
		}
		a, b := median(took[0]), median(took[1])
		ratios[question] = float64(b) / float64(a)
		s.say(question, "%d ms in the short log, %d ms in the long one: "+
			"%.2f times as long (medians of %d)",
			a.Milliseconds(), b.Milliseconds(), ratios[question], runs)
	}
	return ratios
}

var questions = []string{"state", "history", "position"}

// A scale is one run of TestScale.
type scale struct {
	t   *testing.T
	dir string
}

func (s *scale) say(what, format string, args ...any) {
	s.t.Logf("%-22s %s", what, fmt.Sprintf(format, args...))
}

func (s *scale) within(what string, got, budget float64) {
	if got > budget {
		s.say(what, "OVER: %.4g of %.4g", got, budget)
	}
	require.Less(s.t, got, tolerance*budget, what)
}

// A scaleLog is a log on a stack that is up.
type scaleLog struct {
	s      *scale
	book   string
	data   string
	uti    string // of a trade in the middle of the book
	keeper int
	used   []time.Duration // CPU of the commands that TestCosts ran
}

// log writes a book of about the given number of events, and starts a stack for it.
func (s *scale) log(name string, events int) *scaleLog {
	l := &scaleLog{s: s, book: filepath.Join(s.dir, name+".jsonl"),
		data: filepath.Join(s.dir, name)}
	const eventsPerTrade = 6.4 // as simulated, follow-ups included
	trades := max(1, int(float64(events)/eventsPerTrade))
	out, err := os.Create(l.book)
	require.NoError(s.t, err)
	write := exec.Command("blotter", "simulate", "--trades", strconv.Itoa(trades))
	write.Stdout = out
	require.NoError(s.t, write.Run())
	require.NoError(s.t, out.Close())
	s.say("book "+name, "%d trades, simulated in %.0f s of CPU, %s at its peak", trades,
		write.ProcessState.UserTime().Seconds(), megabytes(peakOf(write)))
	l.uti = middleTrade(s.t, l.book)

	s.t.Cleanup(func() { l.command("down").run() })
	up := l.command("up").run()
	require.NoError(s.t, up.err, up.stderr)
	var answer struct{ Process int }
	require.NoError(s.t, json.Unmarshal(up.stdout, &answer))
	l.keeper = answer.Process
	return l
}

var newTrade = regexp.MustCompile(`"op":"NEW","uti":"([^"]+)"`)

// middleTrade returns a trade that begins in the middle of a book.
func middleTrade(t *testing.T, book string) string {
	text, err := os.ReadFile(book)
	require.NoError(t, err)
	found := newTrade.FindSubmatch(text[len(text)/2:])
	require.NotNil(t, found, "no trade begins in the second half of %s", book)
	return string(found[1])
}

func (l *scaleLog) ask(question string) ended {
	args := []string{question}
	if question != "position" {
		args = append(args, l.uti)
	}
	done := l.command(args...).run()
	require.NoError(l.s.t, done.err, done.stderr)
	return done
}

func (l *scaleLog) importing() *process {
	p := l.command("import", "--quiet", l.book)
	p.start()
	return p
}

// imported parses the result of an import. A simulated book has lines that must be refused, so that
// the import exits with 1.
func (l *scaleLog) imported(done ended) (n struct{ Lines, Bad, Again int }) {
	var exit *exec.ExitError
	if done.err != nil {
		require.ErrorAs(l.s.t, done.err, &exit, done.stderr)
		require.Equal(l.s.t, failed, exit.ExitCode(), done.stderr)
	}
	answer := struct{ Answer any }{&n}
	require.NoError(l.s.t, json.Unmarshal(done.stdout, &answer), done.stderr)
	require.Positive(l.s.t, n.Lines)
	require.Zero(l.s.t, n.Bad+n.Again, done.stderr)
	return n
}

func (l *scaleLog) events() int {
	var answer struct {
		Answer struct{ Log struct{ Events int } }
	}
	require.NoError(l.s.t, json.Unmarshal(l.command("status").run().stdout, &answer))
	return answer.Answer.Log.Events
}

func (l *scaleLog) command(args ...string) *process {
	p := &process{cmd: exec.Command("blotter",
		append([]string{"--data", l.data, "--json"}, args...)...), done: make(chan error, 1)}
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	p.cmd.Env = append(os.Environ(), "STACK=embedded")
	return p
}

// A process is a running blotter.
type process struct {
	cmd            *exec.Cmd
	stdout, stderr bytes.Buffer
	began          time.Time
	done           chan error
}

// ended is the result of a process.
type ended struct {
	stdout []byte
	stderr string
	took   time.Duration
	peak   int64 // resident memory, in bytes
	err    error
}

func (p *process) run() ended {
	p.start()
	return p.wait()
}

func (p *process) start() {
	p.began = time.Now()
	go func() { p.done <- p.cmd.Run() }()
}

func (p *process) running() bool { return len(p.done) == 0 }

func (p *process) wait() ended {
	err := <-p.done
	return ended{err: err, took: time.Since(p.began), stdout: p.stdout.Bytes(),
		stderr: p.stderr.String(), peak: peakOf(p.cmd)}
}

// peakOf returns the peak resident memory of an ended process, in bytes.
func peakOf(cmd *exec.Cmd) int64 {
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	return usage.Maxrss << 10 // getrusage(2): in kilobytes
}

// memory returns a field of /proc/PID/status, in bytes: VmHWM is the peak resident memory, RssAnon
// the resident memory without files (proc(5)).
func memory(pid int, field string) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, field+":"); ok {
			digits := strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB"))
			kilobytes, _ := strconv.ParseInt(digits, 10, 64)
			return kilobytes << 10
		}
	}
	return 0
}

func megabytes(n int64) string { return fmt.Sprintf("%d MB", n>>20) }

func median(of []time.Duration) time.Duration {
	slices.Sort(of)
	return of[len(of)/2]
}
