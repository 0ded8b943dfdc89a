package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"

	"example.com/blotter/capstone/canary"
	"example.com/blotter/capstone/domain"
	"example.com/blotter/capstone/session"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	codec "example.com/blotter/solutions/1-schemas"
)

// canaryCmd has the commands about new versions of schemas.
type canaryCmd struct {
	Start   canaryStartCmd   `cmd:"" help:"Write the latest version of a type to some streams."`
	Status  canaryStatusCmd  `cmd:"" help:"Show the canaries, and compare two programs."`
	Promote canaryPromoteCmd `cmd:"" help:"Write it to all streams, if two programs agree."`
	Abort   canaryAbortCmd   `cmd:"" help:"Write it to no stream any more."`
}

// by are the flags of a step.
type by struct {
	Actor  string `required:"" help:"The principal who does it."`
	Reason string `required:"" help:"The reason why."`
}

type canaryStartCmd struct {
	Type  string `arg:"" help:"The type, such as trade.settled."`
	Share int64  `help:"Share of the streams, in percent." default:"10"`
	by
}

func (c *canaryStartCmd) Run(ctx context.Context, a *app) error {
	return a.canaryStep(ctx, c.Type, c.by,
		func(s canary.State, _ contract.Store) (domain.Body, error) {
			return s.Start(c.Share, codec.Readable)
		})
}

type canaryAbortCmd struct {
	Type string `arg:"" help:"The type, such as trade.settled."`
	by
}

func (c *canaryAbortCmd) Run(ctx context.Context, a *app) error {
	return a.canaryStep(ctx, c.Type, c.by,
		func(s canary.State, _ contract.Store) (domain.Body, error) { return s.Abort() })
}

type canaryPromoteCmd struct {
	Type    string `arg:"" help:"The type, such as trade.settled."`
	Against string `required:"" help:"${canary_against}" placeholder:"PROGRAM"`
	by
}

// Run compares the two programs BEFORE it opens the log for writing.
func (c *canaryPromoteCmd) Run(ctx context.Context, a *app) error {
	if err := differsFromThis(c.Against); err != nil {
		return err
	}
	compared, s, err := a.comparison(ctx, c.Against)
	if err != nil {
		return err
	}
	if compared.parts != nil {
		return a.refuted(of(s), compared, compared.parts)
	}
	return a.canaryStep(ctx, c.Type, c.by,
		func(s canary.State, log contract.Store) (domain.Body, error) {
			written, err := s.Written(ctx, log)
			if err != nil {
				return nil, err
			}
			return s.Promote(written)
		})
}

// differsFromThis refuses a copy of this program: it folds every log as this one does.
func differsFromThis(path string) error {
	this, err := os.Executable()
	if err != nil {
		return err
	}
	found, err := exec.LookPath(path)
	if err != nil {
		return &outage{fmt.Sprintf("the program %s: %v", path, err),
			"name a program to compare with"}
	}
	here, err := digestOf(this)
	if err != nil {
		return err
	}
	there, err := digestOf(found)
	if err == nil && here == there {
		err = &canary.Refusal{Rule: canary.SameCode, Detail: path + " is this program, byte for " +
			"byte: compare with the program that the writers had before"}
	}
	return err
}

// digestOf returns the SHA-256 digest of a file.
func digestOf(path string) (digest [sha256.Size]byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return digest, err
	}
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, f)
	return [sha256.Size]byte(h.Sum(nil)), err
}

// canaryStep decides and records a step of the canary of a type.
func (a *app) canaryStep(
	ctx context.Context, typ string, by by,
	decide func(canary.State, contract.Store) (domain.Body, error),
) error {
	if !trade.Principals.Has(by.Actor) {
		return &usageError{fmt.Sprintf("actor %q is no principal", by.Actor),
			"a principal has " + trade.Principals.Want}
	}
	s, err := a.open(ctx, session.Write)
	if err != nil {
		return err
	}
	events, err := s.Domain(ctx)
	if err != nil {
		return err
	}
	state, err := canary.Read(ctx, s.Log, typ)
	if err != nil {
		return err
	}
	body, err := decide(state, s.Log)
	if err != nil {
		return err
	}
	now, err := s.System().Now(ctx)
	if err != nil {
		return err
	}
	err = state.Record(ctx, s.Log, events, domain.Entry{Actor: by.Actor, Reason: by.Reason,
		Source: "canary", EnteredAt: now.Known}, body)
	if err != nil {
		return err
	}
	if state, err = canary.Read(ctx, s.Log, typ); err != nil {
		return err
	}
	return a.answer(of(s), state, func(w io.Writer) {
		printLine(w, "version %d of %s is %s, on %d%% of the streams", state.Version, typ,
			state.Status, state.Share)
	})
}

type canaryStatusCmd struct {
	Against string `help:"${canary_against}" placeholder:"PROGRAM"`
}

// A canaryStatus is a canary with the events on record of its type.
type canaryStatus struct {
	canary.State
	Written int64 `json:"written"` // events under the new version
	Before  int64 `json:"before"`  // events under earlier versions
}

// A comparedStatus has the canaries and the comparison of two programs.
type comparedStatus struct {
	Canaries []canaryStatus `json:"canaries"`
	comparison
}

// Run exits with 1 if the two programs fold the log to different states.
func (c *canaryStatusCmd) Run(ctx context.Context, a *app) error {
	var compared comparison
	if c.Against != "" {
		var err error
		if compared, _, err = a.comparison(ctx, c.Against); err != nil {
			return err
		}
	}
	s, err := a.open(ctx, session.Query)
	if err != nil {
		return err
	}
	all, err := canaries(ctx, s.Log)
	if err != nil {
		return err
	}
	answer := any(all)
	if c.Against != "" {
		answer = comparedStatus{all, compared}
	}
	err = a.answer(of(s), answer, func(w io.Writer) {
		var rows []string
		for _, c := range all {
			rows = append(rows, fmt.Sprintf("%s\t%d\t%d%%\t%s\t%d\t%d", c.Type, c.Version, c.Share,
				c.Status, c.Written, c.Before))
		}
		table(w, "type\tversion\tshare\tstatus\tevents of it\tof earlier versions", rows...)
		if compared.Equal {
			compared.print(w)
		}
	})
	if err == nil && compared.parts != nil {
		err = compared.parts
	}
	return err
}

// canaries reads the log for canaries and the events of their types.
func canaries(ctx context.Context, log contract.Store) (all []canaryStatus, err error) {
	end, err := log.End(ctx)
	if err != nil {
		return nil, err
	}
	types := []string{}
	written := map[string]map[int]int64{}
	for r, err := range log.Read(ctx, nil, end) {
		if err != nil {
			return nil, err
		}
		if typ, is := canary.TypeOf(r.Stream); is && r.Version == 1 {
			types = append(types, typ)
		}
		if written[r.Type] == nil {
			written[r.Type] = map[int]int64{}
		}
		written[r.Type][r.Schema]++
	}
	all = []canaryStatus{} // never nil: nothing is an empty list
	for _, typ := range types {
		c := canaryStatus{}
		if c.State, err = canary.Read(ctx, log, typ); err != nil {
			return nil, err
		}
		for version, n := range written[typ] {
			if int64(version) == c.Version {
				c.Written += n
			} else {
				c.Before += n
			}
		}
		all = append(all, c)
	}
	return all, nil
}
