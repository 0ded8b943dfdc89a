package main

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"

	"example.com/blotter/labs/5-audit/audittest"
	"example.com/blotter/labs/kit/stack"
	audit "example.com/blotter/solutions/5-audit"
)

// A team has a log with a key of its own, sealed once.
type team struct {
	dir     string
	log     *audittest.Log
	options audit.Options
}

func newTeam(t *testing.T, origin string) *team {
	secret, public, err := audit.GenerateKey(rand.Reader, origin)
	require.NoError(t, err)
	team := &team{dir: t.TempDir(), log: audittest.NewLog(1)}
	require.NoError(t, os.Mkdir(filepath.Join(team.dir, "keys"), 0o700))
	key := filepath.Join(team.dir, "keys", "verifier")
	require.NoError(t, os.WriteFile(key, []byte(public+"\n"), 0o600))
	team.options = audit.Options{
		Log: team.log, Archive: new(audit.Memory), Origin: origin, Clock: time.Now,
	}
	team.options.Signer, err = note.NewSigner(secret)
	require.NoError(t, err)
	team.options.Verifier, err = note.NewVerifier(public)
	require.NoError(t, err)
	team.log.Add(5)
	return team
}

// seal seals the log, and returns the error of its policy.
func (team *team) seal(t *testing.T) error {
	text, err := os.ReadFile(filepath.Join(team.dir, "policy"))
	require.NoError(t, err)
	o := team.options
	o.Policy, err = audit.ParsePolicy(text)
	require.NoError(t, err)
	a, err := audit.Open(o)
	require.NoError(t, err)
	c, err := a.Seal(t.Context())
	if err == nil {
		_, err = o.Policy.Check(c.Note, o.Verifier)
	}
	return err
}

// The logs of a class are cosigned by one another. A team that seals another history under its key
// is refused by all of them, also after the witnesses were started again.
func TestNeighboursCosignOneAnother(t *testing.T) {
	teams := []*team{newTeam(t, "a.example"), newTeam(t, "b.example"), newTeam(t, "c.example")}
	for range 2 {
		ctx, stop := context.WithCancel(t.Context())
		from, to := io.Pipe()
		ended := make(chan error, 1)
		go func() {
			err := (&neighboursCmd{[]string{teams[0].dir, teams[1].dir, teams[2].dir}}).
				Run(ctx, &streams{to, io.Discard})
			ended <- errors.Join(err, to.CloseWithError(io.EOF))
		}()
		for lines := 0; lines < 4; lines++ {
			_, err := from.Read(make([]byte, 1000))
			if errors.Is(err, io.EOF) {
				stop()
				err = <-ended
				if errors.Is(err, stack.ErrNoWitness) && os.Getenv("BLOTTER_CI") == "" {
					t.Skip("the witness is not built: .tools/setup witness")
				}
			}
			require.NoError(t, err)
		}
		for _, team := range teams {
			team.log.Add(3)
			require.NoError(t, team.seal(t))
		}
		forger := *teams[1]
		forger.options.Archive, forger.log = new(audit.Memory), audittest.NewLog(1)
		forger.options.Log = forger.log
		forger.log.Add(50)
		err := forger.seal(t)
		require.ErrorContains(t, err, "witness a.example: it refuses to cosign: ")
		require.ErrorContains(t, err, "witness c.example: it refuses to cosign: ")
		stop()
		require.NoError(t, <-ended)
	}
}

// A witness knows a log by its origin, and a policy that somebody wrote is not replaced.
func TestNeighboursAreRefused(t *testing.T) {
	t.Parallel()
	a, b, again := newTeam(t, "a.example"), newTeam(t, "b.example"), newTeam(t, "a.example")
	run := func(dirs ...string) error {
		return (&neighboursCmd{dirs}).Run(t.Context(), &streams{io.Discard, io.Discard})
	}
	require.ErrorContains(t, run(a.dir), "a log needs a neighbour")
	require.ErrorContains(t, run(a.dir, t.TempDir()), " has no public key of a log")
	require.ErrorContains(t, run(a.dir, again.dir), " are both a.example")
	key := filepath.Join(again.dir, "keys", "verifier") // as a change of the signer leaves it
	text, err := os.ReadFile(key)
	require.NoError(t, err)
	text = append(text, "\nblotter signers v1\n\n— a.example AAAA\n"...)
	require.NoError(t, os.WriteFile(key, text, 0o600))
	require.ErrorContains(t, run(a.dir, again.dir), " are both a.example")
	require.NoError(t, os.WriteFile(filepath.Join(b.dir, "policy"), []byte("quorum none\n"), 0o600))
	require.ErrorContains(t, run(a.dir, b.dir), " is a policy that lab neighbours did not write")
}
