package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"github.com/rogpeppe/go-internal/testscript"

	"example.com/blotter/capstone/logdir"
	"example.com/blotter/capstone/session"
	"example.com/blotter/labs/kit/stack"
)

// cut imports a file from a pipe that stays open, and ends the import in the middle: cut HOW FILE
// ARGS, where HOW is a signal, "pipe" (the reader of both outputs goes away) or "terminal" (the
// terminal of both outputs does). The process must end by itself within a minute.
func cut(ts *testscript.TestScript, _ bool, args []string) {
	how, lines := args[0], []byte(ts.ReadFile(args[1]))
	program := exec.Command(inPath(ts, "blotter"), append(args[2:], "import", "--simulate", "-")...)
	program.Dir = ts.MkAbs(".")
	program.Env = append(os.Environ(), "BLOTTER_S3_GATEWAY="+ts.Getenv("BLOTTER_S3_GATEWAY"),
		"HOME="+ts.Getenv("HOME"), "STACK=embedded")
	input, err := program.StdinPipe()
	ts.Check(err)
	gone, output, progress := outputs(ts, how)
	program.Stdout, program.Stderr = output, output
	if how == "terminal" {
		program.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 1}
	}
	// A process that was started under nohup ignores SIGHUP, and its children do so, too. A child
	// gets the default action of a signal that its parent catches.
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, syscall.SIGHUP)
	defer signal.Stop(caught)
	ts.Check(program.Start())
	ts.Check(output.Close())
	ended := make(chan error, 1)
	go func() { ended <- program.Wait() }()

	half := len(lines) / 2
	_, err = input.Write(lines[:half]) // more than a pipe holds: the import has read most of it
	ts.Check(err)
	switch how {
	case "terminal":
		select {
		case <-progress:
		case <-time.After(time.Minute):
			ts.Fatalf("the terminal shows no progress")
		}
		ts.Check(gone.Close())
	case "SIGINT":
		ts.Check(program.Process.Signal(syscall.SIGINT))
	case "SIGTERM":
		ts.Check(program.Process.Signal(syscall.SIGTERM))
	case "SIGHUP":
		ts.Check(program.Process.Signal(syscall.SIGHUP))
	default:
		ts.Check(gone.Close())
	}
	_, _ = input.Write(lines[half:]) // an import that has ended reads no more
	if how == "pipe" {
		ts.Check(input.Close())
	}
	select {
	case err := <-ended:
		if status := program.ProcessState; status.ExitCode() < 0 {
			ts.Fatalf("%s: %v", how, err)
		}
	case <-time.After(time.Minute):
		ts.Check(program.Process.Kill())
		ts.Fatalf("%s: the import still runs after a minute", how)
	}
}

// outputs returns an output for a program, and its other side. The other side is read until it is
// closed. A terminal closes progress when it shows that lines are counted.
func outputs(
	ts *testscript.TestScript, how string,
) (gone io.Closer, output *os.File, progress chan struct{}) {
	progress = make(chan struct{})
	if how != "terminal" {
		r, w, err := os.Pipe()
		ts.Check(err)
		if how != "pipe" {
			go io.Copy(io.Discard, r)
		}
		return r, w, progress
	}
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	ts.Check(err)
	var number, unlocked uint32
	control(ts, master, syscall.TIOCGPTN, &number)
	control(ts, master, syscall.TIOCSPTLCK, &unlocked)
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	ts.Check(err)
	go func() {
		shown := regexp.MustCompile(`[0-9] lines`)
		shown.FindReaderIndex(bufio.NewReader(master))
		close(progress)
		io.Copy(io.Discard, master)
	}()
	return master, slave, progress
}

func control(ts *testscript.TestScript, f *os.File, request uintptr, value *uint32) {
	conn, err := f.SyscallConn()
	ts.Check(err)
	ts.Check(conn.Control(func(fd uintptr) {
		pointer := uintptr(unsafe.Pointer(value))
		if _, _, failed := syscall.Syscall(syscall.SYS_IOCTL, fd, request, pointer); failed != 0 {
			err = failed
		}
	}))
	ts.Check(err)
}

// inPath returns the path of a program of the scripts.
func inPath(ts *testscript.TestScript, name string) string {
	for _, dir := range filepath.SplitList(ts.Getenv("PATH")) {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && !info.IsDir() {
			return path
		}
	}
	ts.Fatalf("there is no program %s", name)
	return ""
}

// marked fails unless the reached mark of a data folder is the end of its log, and some events are
// recorded. With "written", the mark need only have as many events as the last import has counted
// lines: nobody could ask for the end. It then opens the log as for a query, which first gives the
// pending events of Postgres their place.
func marked(ts *testscript.TestScript, _ bool, args []string) {
	ctx, data := context.Background(), ts.MkAbs(args[0])
	mark, err := logdir.CursorFile(filepath.Join(data, "reached")).Load()
	ts.Check(err)
	access := session.Inspect
	if len(args) > 1 {
		access = session.Query
	}
	s, err := session.Open(ctx, session.Config{Data: data, Stack: "embedded"}, access)
	ts.Check(err)
	defer func() { ts.Check(s.Close()) }()
	end, err := s.Log.End(ctx)
	ts.Check(err)
	events, under := 0, 0
	for r, err := range s.Log.Read(ctx, nil, end) {
		ts.Check(err)
		events++
		if mark.Covers(r.Position) {
			under++
		}
	}
	want := events
	if len(args) > 1 {
		want = counted(ts)
	} else if mark.String() != end.String() {
		ts.Fatalf("the mark is %v, and the log ends at %v", mark, end)
	}
	if want < 10 || under < want || !end.Reaches(mark) {
		ts.Fatalf("the mark %v has %d of %d events, and not %d", mark, under, events, want)
	}
}

// counted returns the number of lines of the last import that are on record: those that it counted,
// or those before the line that failed.
func counted(ts *testscript.TestScript) int {
	var accepted, refused int
	counts := regexp.MustCompile(`[0-9]+ accepted, [0-9]+ refused`)
	_, err := fmt.Sscanf(counts.FindString(ts.ReadFile("stdout")), "%d accepted, %d refused",
		&accepted, &refused)
	if err == nil {
		return accepted + refused
	}
	failed := 0
	line := regexp.MustCompile(`(?m)^error: line [0-9]+`).FindString(ts.ReadFile("stderr"))
	_, err = fmt.Sscanf(line, "error: line %d", &failed)
	ts.Check(err)
	return failed - 1
}

// lost takes the end of a log away, fails unless an import is refused for it, and puts it back:
// lost DATA BOOK. A log in Kafka must not be up, and a log in Postgres must be.
func lost(ts *testscript.TestScript, _ bool, args []string) {
	refused := func() {
		err := ts.Exec("blotter", "--data", args[0], "import", "--simulate", args[1])
		stderr := ts.ReadFile("stderr")
		if err == nil || !strings.HasPrefix(stderr, "error: the log ends too soon: ") {
			ts.Fatalf("the log lost its end, and the import says: %s", stderr)
		}
	}
	kafka := filepath.Join(ts.MkAbs(args[0]), "stack", "kafka")
	if _, err := os.Stat(kafka); err == nil && !isUp(ts, args[0]) {
		kept := kafka + ".kept"
		ts.Check(os.CopyFS(kept, os.DirFS(kafka)))
		ts.Check(os.RemoveAll(filepath.Join(kafka, "partitions", "blotter.events-1")))
		refused()
		ts.Check(os.RemoveAll(kafka))
		ts.Check(os.Rename(kept, kafka))
		return
	}
	sql(ts, false, []string{args[0], `set search_path to blotter_log;
		create schema kept; create table kept.feed as table feed;
		create table kept.counter as table counter;
		alter table feed disable trigger all;
		delete from feed where position >= (select next from counter) - 5;
		update counter set next = next - 5`})
	refused()
	sql(ts, false, []string{args[0], `set search_path to blotter_log;
		insert into feed select * from kept.feed on conflict do nothing;
		update counter set next = (select next from kept.counter);
		drop schema kept cascade;
		alter table feed enable trigger all; alter table feed enable always trigger feed_refuse`})
}

func isUp(ts *testscript.TestScript, data string) bool {
	_, up, err := stack.FindKept(filepath.Join(ts.MkAbs(data), "stack"))
	ts.Check(err)
	return up
}
