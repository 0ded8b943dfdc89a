// Command witness runs litewitness, the witness of filippo.io/torchwood (C2SP tlog-witness), for
// some logs:
//
//	witness DIR ADDRESS NAME KEY...
//
// DIR has the witness's own key and the checkpoints that it cosigned. ADDRESS is that of the
// witness, NAME its name in cosignatures, and each KEY the public key of a log. litewitness gets
// its key from an SSH agent, and its logs from a database: this program is the agent, and adds the
// logs. DIR/verifier has the public key, as a verifier of cosignatures (C2SP tlog-cosignature).
//
// Whoever loses DIR/key or the database must not go on under the same name and key: the witness
// would cosign another history of a log that it has forgotten.
package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"filippo.io/torchwood"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
	"golang.org/x/mod/sumdb/note"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

const database = "litewitness.db"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(os.Args) < 5 {
		fmt.Fprintln(os.Stderr, "usage: witness DIR ADDRESS NAME KEY...")
		os.Exit(2)
	}
	if err := run(ctx, os.Args[1], os.Args[2], os.Args[3], os.Args[4:]); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, dir, address, name string, logs []string) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	if err := os.Chdir(dir); err != nil { // the path of a socket has at most about 100 bytes
		return err
	}
	key, err := loadKey()
	if err != nil {
		return err
	}
	cosigner, err := torchwood.NewCosignatureSigner(name, key)
	if err != nil {
		return err
	}
	public := cosigner.Verifier().String() + "\n"
	if err := os.WriteFile("verifier", []byte(public), 0o600); err != nil {
		return err
	}
	socket := fmt.Sprintf("agent-%d.sock", os.Getpid())
	defer os.Remove(socket)
	fingerprint, err := serveKey(socket, key)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, filepath.Join(filepath.Dir(program), "litewitness"),
		"-db", database, "-ssh-agent", socket, "-listen", address, "-name", name,
		"-key", fingerprint)
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = os.Stdout, os.Stderr, 5*time.Second
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	bind(cmd)
	if err := cmd.Start(); err != nil {
		return err
	}
	if err := addLogs(ctx, logs); err != nil {
		return errors.Join(err, cmd.Process.Kill(), cmd.Wait())
	}
	if err := cmd.Wait(); ctx.Err() == nil {
		return err
	}
	return nil
}

// loadKey returns the key in the file key. It generates the first one.
func loadKey() (ed25519.PrivateKey, error) {
	text, err := os.ReadFile("key")
	if errors.Is(err, fs.ErrNotExist) {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return nil, err
		}
		block, err := ssh.MarshalPrivateKey(key, "")
		if err != nil {
			return nil, err
		}
		return key, os.WriteFile("key", pem.EncodeToMemory(block), 0o600)
	}
	if err != nil {
		return nil, err
	}
	key, err := ssh.ParseRawPrivateKey(text)
	if err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	if key, ok := key.(*ed25519.PrivateKey); ok {
		return *key, nil
	}
	return nil, errors.New("key: not an Ed25519 key")
}

// serveKey serves an SSH agent with the key, and returns the key's fingerprint.
func serveKey(socket string, key ed25519.PrivateKey) (string, error) {
	ring := agent.NewKeyring()
	if err := ring.Add(agent.AddedKey{PrivateKey: key}); err != nil {
		return "", err
	}
	public, err := ssh.NewPublicKey(key.Public())
	if err != nil {
		return "", err
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return "", err
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go agent.ServeAgent(ring, conn)
		}
	}()
	return ssh.FingerprintSHA256(public), nil
}

// addLogs adds logs to the database, as witnessctl does. It waits until litewitness has made the
// tables. A log that is there keeps its checkpoint.
func addLogs(ctx context.Context, logs []string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	db, err := sqlite.OpenConn(database)
	if err != nil {
		return err
	}
	defer db.Close()
	for _, log := range logs {
		key, err := note.NewVerifier(log)
		if err != nil {
			return fmt.Errorf("the key of a log, %q: %w", log, err)
		}
		err = addLog(db, key.Name(), log)
		for err != nil && strings.Contains(err.Error(), "no such table") && ctx.Err() == nil {
			time.Sleep(10 * time.Millisecond)
			err = addLog(db, key.Name(), log)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func addLog(db *sqlite.Conn, origin, key string) (err error) {
	defer sqlitex.Save(db)(&err)
	empty := sha256.Sum256(nil)
	err = sqlitex.Execute(db, "INSERT OR IGNORE INTO log (origin, tree_size, tree_hash) "+
		"VALUES (?, 0, ?)", &sqlitex.ExecOptions{
		Args: []any{origin, base64.StdEncoding.EncodeToString(empty[:])}})
	if err != nil {
		return err
	}
	return sqlitex.Execute(db, "INSERT INTO key (origin, key) SELECT ?1, ?2 "+
		"WHERE NOT EXISTS (SELECT * FROM key WHERE origin = ?1 AND key = ?2)",
		&sqlitex.ExecOptions{Args: []any{origin, key}})
}
