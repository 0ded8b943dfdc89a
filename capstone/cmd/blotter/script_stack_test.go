package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/rogpeppe/go-internal/testscript"

	"example.com/blotter/capstone"
	"example.com/blotter/capstone/lines"
	"example.com/blotter/capstone/session"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack"
	"example.com/blotter/labs/kit/trade"
)

// downAll stops the kept stacks of a script.
func downAll(workDir string) {
	dirs, _ := filepath.Glob(filepath.Join(workDir, "*", "stack"))
	hidden, _ := filepath.Glob(filepath.Join(workDir, ".*", "stack"))
	for _, dir := range append(dirs, hidden...) {
		if at, up, err := stack.FindKept(dir); err == nil && up {
			if keeper, err := os.FindProcess(at.PID); err == nil {
				keeper.Signal(syscall.SIGTERM)
			}
		}
	}
}

func keptOf(ts *testscript.TestScript, data string) stack.Kept {
	at, up, err := stack.FindKept(filepath.Join(ts.MkAbs(data), "stack"))
	ts.Check(err)
	if !up {
		ts.Fatalf("no stack is up for %s", data)
	}
	return at
}

// external sets the variables of the external stack to the kept stack of a data folder.
func external(ts *testscript.TestScript, _ bool, args []string) {
	at := keptOf(ts, args[0])
	ts.Setenv("STACK", "external")
	for _, variable := range at.Environment() {
		name, value, _ := strings.Cut(variable, "=")
		ts.Setenv(name, value)
	}
}

// killKeeper kills the process that keeps a stack, and returns once the stack is gone. While the
// process dies, its stack is still found but no longer answers.
func killKeeper(ts *testscript.TestScript, _ bool, args []string) {
	keeper, err := os.FindProcess(keptOf(ts, args[0]).PID)
	ts.Check(err)
	ts.Check(keeper.Kill())
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); ; <-tick.C {
		_, up, err := stack.FindKept(filepath.Join(ts.MkAbs(args[0]), "stack"))
		ts.Check(err)
		if !up {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("process %d still runs a minute after it was killed", keeper.Pid)
		}
	}
}

// await waits until a file is there, and contains a match of a pattern if one is given.
func await(ts *testscript.TestScript, _ bool, args []string) {
	pattern := regexp.MustCompile(strings.Join(args[1:], " "))
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); ; <-tick.C {
		if text, err := os.ReadFile(ts.MkAbs(args[0])); err == nil && pattern.Match(text) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("there is no %s after a minute", strings.Join(args, " with "))
		}
	}
}

// sql runs a statement in the database of a kept stack. No command of blotter does that.
func sql(ts *testscript.TestScript, _ bool, args []string) {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, keptOf(ts, args[0]).Postgres.MigrationDSN)
	ts.Check(err)
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, args[1])
	ts.Check(err)
}

// hold keeps the lock of a file until the script ends, like another process.
func hold(ts *testscript.TestScript, _ bool, args []string) {
	path := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(filepath.Dir(path), 0o711))
	release, err := stack.Lock(path)
	ts.Check(err)
	ts.Defer(func() { release() })
}

// race imports a file as two processes would that race: the second file is imported between the
// decision on the first file's command and its append.
func race(ts *testscript.TestScript, _ bool, args []string) {
	ctx := context.Background()
	s, err := session.Open(ctx, session.Config{
		Data: ts.MkAbs(".blotter"), Stack: "embedded", Progress: io.Discard,
	}, session.Write)
	ts.Check(err)
	defer func() { ts.Check(s.Close()) }()
	importFile := func(log contract.Store, file string) {
		system := capstone.New(log, s.Codec, file)
		_, err := system.Import(ctx, lines.Read(strings.NewReader(ts.ReadFile(file))),
			func(capstone.Result) {})
		ts.Check(err)
	}
	importFile(&overtaken{s.Log, func() { importFile(s.Log, args[1]) }}, args[0])
}

// force appends the lines of a file past the desk, as a program does that does not know the rules:
// force .blotter illegal.jsonl. The payload of a command that "cuts" is cut short;
// that of an "unknown schema" names a schema that nobody published; an "unknown type" is in no
// catalog.
func force(ts *testscript.TestScript, _ bool, args []string) {
	ctx := context.Background()
	s, err := session.Open(ctx, session.Config{
		Data: ts.MkAbs(args[0]), Stack: "embedded", Progress: io.Discard,
	}, session.Write)
	ts.Check(err)
	defer func() { ts.Check(s.Close()) }()
	for line, err := range lines.Read(strings.NewReader(ts.ReadFile(args[1]))) {
		ts.Check(err)
		cmd := line.Command
		payload, err := s.Codec.Encode(ctx, cmd.Body)
		ts.Check(err)
		switch cmd.Reason {
		case "cuts":
			payload.Data = payload.Data[:len(payload.Data)-1]
		case "unknown schema":
			payload.Schema = 99
			binary.BigEndian.PutUint32(payload.Data[1:], 1<<30)
		case "unknown type":
			payload.Type = "trade.blessed"
		}
		_, err = s.Log.Append(contract.At(ctx, cmd.EnteredAt), cmd.Stream(), contract.Any,
			contract.Event{
				ID: trade.EventID(cmd.ID, 0), Stream: cmd.Stream(), Type: payload.Type,
				Schema: payload.Schema, Fingerprint: payload.Fingerprint,
				EffectiveAt: cmd.EnteredAt, EnteredAt: cmd.EnteredAt, Actor: cmd.Actor,
				Reason: cmd.Reason, CommandID: cmd.ID, Source: "other-desk", SourceLine: 7,
				Data: payload.Data,
			})
		ts.Check(err)
	}
}

// overtaken is a store that calls other before its first append.
type overtaken struct {
	contract.Store
	other func()
}

func (s *overtaken) Append(
	ctx context.Context, stream string, expected int64, events ...contract.Event,
) ([]contract.Receipt, error) {
	if other := s.other; other != nil {
		s.other = nil
		other()
	}
	return s.Store.Append(ctx, stream, expected, events...)
}

// tamper replaces bytes in every event of the index files of a data folder, and mends the checksum
// of each event (see package index): tamper .blotter FROM TO, both hexadecimal and of one length.
func tamper(ts *testscript.TestScript, _ bool, args []string) {
	from, err := hex.DecodeString(args[1])
	ts.Check(err)
	to, err := hex.DecodeString(args[2])
	ts.Check(err)
	files, err := filepath.Glob(filepath.Join(ts.MkAbs(args[0]), "index", "*.index"))
	ts.Check(err)
	changed := 0
	for _, path := range files {
		data, err := os.ReadFile(path)
		ts.Check(err)
		changed += bytes.Count(data, from)
		data = bytes.ReplaceAll(data, from, to)
		for at := 0; at < len(data); {
			size := int(binary.BigEndian.Uint32(data[at+4:]))
			sum := crc32.Checksum(data[at+4:at+size], crc32.MakeTable(crc32.Castagnoli))
			binary.BigEndian.PutUint32(data[at:], sum)
			at += size
		}
		ts.Check(os.WriteFile(path, data, 0o600))
	}
	if changed == 0 {
		ts.Fatalf("no event has the bytes %s", args[1])
	}
}
