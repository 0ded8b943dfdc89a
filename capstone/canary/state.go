// Package canary writes a new version of a schema to a share of the streams first, while a program
// of the version before reads both.
//
// A canary is the stream canary/<type> of the log:
//
//	canary.started   a share of the streams is written under the new version, all others under the
//	                 one before it
//	canary.ended     promoted: all streams are; aborted: none is
//
// Without a canary of its latest version, a type is written under the latest version, as ever. So
// start the canary with the new program, before its writers are deployed.
//
// The stream's name decides, not the writer: all writers agree, and one stream has one version
// while the canary runs. A writer reads the state again after a second, so that an abort by another
// process ends the new version within a second.
//
// # Nothing is lost
//
// An event of the version before is the new one by Avro's rules of schema resolution, and by the
// function before (codec.go) if it has one for the type. It is decoded again and compared: a body
// that would change, such as by a value in a field that only the new version has, is
// contract.ErrUnencodable. A program of the version before reads the new one by the same rules:
// therefore a version that it could not read is refused at the start.
package canary

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"example.com/blotter/capstone/domain"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/schemas"
)

// streams is the beginning of the name of each canary's stream.
const streams = "canary/"

// StreamOf returns the stream of the canaries of a type.
func StreamOf(typ string) string { return streams + typ }

// TypeOf returns the type whose canaries a stream has; ok is false for any other stream.
func TypeOf(stream string) (typ string, ok bool) { return strings.CutPrefix(stream, streams) }

// Started is the event that begins a canary.
type Started struct {
	Type    string `avro:"type"`
	Version int64  `avro:"version"`
	Share   int64  `avro:"share"` // of the streams, in percent
}

// Ended is the event that ends a canary.
type Ended struct {
	How string `avro:"how"` // Promoted or Aborted
}

// EventType returns the type of the event.
func (Started) EventType() string { return "canary.started" }

// EventType returns the type of the event.
func (Ended) EventType() string { return "canary.ended" }

// The statuses of a canary.
const (
	Running  = "running"
	Promoted = "promoted"
	Aborted  = "aborted"
)

// A State is the last canary of a type.
type State struct {
	Type    string `json:"type"`
	Version int64  `json:"version"` // of the new schema; zero without a canary
	Share   int64  `json:"share"`   // in percent
	Status  string `json:"status"`
	Events  int64  `json:"-"` // of the stream

	Begun time.Time `json:"-"` // when the last start was recorded
}

// Evolve returns the state after an event of the canary's stream.
func (s State) Evolve(r contract.Recorded) (State, error) {
	s.Events = r.Version
	if r.Type == (Ended{}).EventType() {
		body, err := domain.Decode[Ended](r)
		s.Status = body.How
		return s, err
	}
	body, err := domain.Decode[Started](r)
	s.Type, s.Version, s.Share, s.Status = body.Type, body.Version, body.Share, Running
	s.Begun = r.RecordedAt
	return s, err
}

// Read folds the stream of a type's canaries.
func Read(ctx context.Context, log contract.Store, typ string) (s State, err error) {
	s.Type = typ
	for r, err := range log.Stream(ctx, StreamOf(typ)) {
		if err != nil {
			return s, err
		}
		if s, err = s.Evolve(r); err != nil {
			return s, err
		}
	}
	return s, nil
}

// Written counts the events of the canary's version since it began.
func (s State) Written(ctx context.Context, log contract.Store) (n int64, err error) {
	end, err := log.End(ctx)
	if err != nil {
		return 0, err
	}
	for r, err := range log.Read(ctx, nil, end) {
		if err != nil {
			return 0, err
		}
		if r.Type == s.Type && int64(r.Schema) == s.Version && !r.RecordedAt.Before(s.Begun) {
			n++
		}
	}
	return n, nil
}

// Writes returns the version under which an event of a stream is written, if latest is the latest
// one of the program.
func (s State) Writes(stream string, latest int) int {
	switch {
	case int64(latest) != s.Version || s.Status == Promoted || s.Status == "":
		return latest
	case s.Status == Running && bucket(stream) < s.Share:
		return latest
	}
	return latest - 1
}

// bucket returns a number from 0 to 99 that depends on the stream alone.
func bucket(stream string) int64 {
	digest := sha256.Sum256([]byte("canary:" + stream))
	return int64(binary.BigEndian.Uint32(digest[:4]) % 100)
}

// A Rule names the reason of a refusal.
type Rule string

// The rules of a canary.
const (
	NoVersion  Rule = "canary.no-version" // the type has no version before its latest one
	Unreadable Rule = "canary.unreadable" // a reader of the version before cannot read the new one
	BadShare   Rule = "canary.share"      // 1 to 100 percent
	IsRunning  Rule = "canary.running"    // it has begun
	NotRunning Rule = "canary.not-running"
	Unused     Rule = "canary.unused" // no event has the new version: nothing was compared
	SameCode   Rule = "canary.same-program"
)

// A Refusal is a command that breaks a rule.
type Refusal struct {
	Rule   Rule
	Detail string
}

func (r *Refusal) Error() string { return fmt.Sprintf("%s: %s", r.Rule, r.Detail) }

func refuse(rule Rule, format string, args ...any) error {
	return &Refusal{rule, fmt.Sprintf(format, args...)}
}

// A readable function returns an error if data of the writer's schema cannot be read under the
// reader's, or would be read with another meaning.
type readable func(reader, writer string) error

// Start decides to begin the canary of a type's latest version.
func (s State) Start(share int64, check readable) (domain.Body, error) {
	latest, known := schemas.Latest(s.Type)
	before, ok := schemas.Find(s.Type, latest.Version-1)
	switch {
	case !known || !ok || latest.Domain:
		return nil, refuse(NoVersion, "type %q of trading has no version before its latest one, "+
			"and a program that does not know the type cannot read it", s.Type)
	case share < 1 || share > 100:
		return nil, refuse(BadShare, "%d percent: want 1 to 100", share)
	case s.Status == Running:
		return nil, refuse(IsRunning, "version %d of %s is written to %d%% of the streams",
			s.Version, s.Type, s.Share)
	}
	if err := check(before.Text, latest.Text); err != nil {
		return nil, refuse(Unreadable, "a program of version %d of %s cannot read version %d: %v",
			before.Version, s.Type, latest.Version, err)
	}
	return Started{s.Type, int64(latest.Version), share}, nil
}

// Abort decides that no stream has the new version any more.
func (s State) Abort() (domain.Body, error) { return s.end(Aborted) }

// Promote decides that all streams have the new version, of which so many events were written since
// the canary began.
func (s State) Promote(written int64) (domain.Body, error) {
	if s.Status == Running && written == 0 {
		return nil, refuse(Unused, "no event of %s has version %d since its canary began: a "+
			"comparison of two programs says nothing about it", s.Type, s.Version)
	}
	return s.end(Promoted)
}

func (s State) end(how string) (domain.Body, error) {
	if s.Status != Running {
		return nil, refuse(NotRunning, "type %s has no running canary", s.Type)
	}
	return Ended{how}, nil
}

// Record appends the event of a decision, as the next one of the canary's stream.
func (s State) Record(
	ctx context.Context, log contract.Store, codec *domain.Codec, e domain.Entry, body domain.Body,
) error {
	stream := StreamOf(s.Type)
	e.CommandID = fmt.Sprintf("%s/%d", stream, s.Events+1)
	event, err := codec.Event(ctx, stream, 0, e, body)
	if err == nil {
		_, err = log.Append(contract.At(ctx, e.EnteredAt), stream, s.Events, event)
	}
	return err
}
