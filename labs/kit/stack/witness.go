package stack

import (
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A Witness is a running witness of logs (C2SP tlog-witness): litewitness of filippo.io/torchwood.
// It ends when this process ends.
type Witness struct {
	URL string // its submission prefix
	Key string // the public key of its cosignatures (C2SP tlog-cosignature)

	process *child
}

// StartWitness starts a witness for the logs with some public keys (C2SP signed-note). name is its
// name in cosignatures. dir keeps its own key, and the checkpoints that it cosigned: with the same
// dir it is the same witness. A checkpoint is durable there before it is cosigned.
func StartWitness(ctx context.Context, dir, name string, logs ...string) (*Witness, error) {
	program, err := findWitness()
	if err != nil {
		return nil, err
	}
	dir, err = filepath.Abs(dir)
	if err == nil {
		err = MakeDir(dir)
	}
	if err != nil {
		return nil, err
	}
	w := new(Witness)
	w.process, err = startServer(ctx, w.plan(program, dir, name, logs))
	if err != nil {
		return nil, fmt.Errorf("witness: %w", err)
	}
	return w, nil
}

func (w *Witness) plan(path, dir, name string, logs []string) serverPlan {
	return func(port int) (program, func(context.Context) error) {
		address := "127.0.0.1:" + strconv.Itoa(port)
		w.URL = "http://" + address
		return program{
			name: "witness", path: path, args: append([]string{dir, address, name}, logs...),
			env: baseEnv(), dir: dir, log: filepath.Join(dir, "log"), deathSignal: syscall.SIGKILL,
		}, func(ctx context.Context) error { return w.probe(ctx, dir, logs) }
	}
}

// probe reads the page of the witness, which shows its key and its logs.
func (w *Witness) probe(ctx context.Context, dir string, logs []string) error {
	key, err := os.ReadFile(filepath.Join(dir, "verifier"))
	if err != nil {
		return err
	}
	w.Key = strings.TrimSpace(string(key))
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, w.URL, nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	page, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err != nil {
		return err
	}
	text := html.UnescapeString(string(page))
	for _, log := range logs {
		origin, _, _ := strings.Cut(log, "+")
		if !strings.Contains(text, "\n- "+origin+"\n") || !strings.Contains(text, w.Key) {
			return errors.New("its page does not show its key and its logs yet")
		}
	}
	return nil
}

// Close stops the witness.
func (w *Witness) Close() error {
	return w.process.end(syscall.SIGTERM, syscall.SIGKILL, 5*time.Second)
}

// findWitness returns the program of BLOTTER_WITNESS, or the one that .tools/setup witness built.
func findWitness() (string, error) {
	if path := os.Getenv("BLOTTER_WITNESS"); path != "" {
		return path, nil
	}
	working, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for _, dir := range []string{working, programDir()} {
		if path, ok := builtTool(dir, "witness"); ok {
			return path, nil
		}
	}
	return "", withHint(ErrNoWitness, "build it in a clone of blotter: .tools/setup witness")
}

// ErrNoWitness is wrapped by the error of StartWitness if the witness was not built.
var ErrNoWitness = errors.New("no witness: there is no .tools/bin/witness in the working " +
	"directory or its parents")
