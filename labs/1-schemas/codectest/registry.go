package codectest

import (
	"context"
	"encoding/binary"
	"errors"
	"sync"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/schemas"
)

// registry is a registry in memory that many share: its first free id is far from 1, as behind other teams' schemas, and subjects are
// kept apart. It counts what it is asked, and can be away.
type registry struct {
	mu         sync.Mutex
	texts      map[int]string
	registered []registration
	asked      map[int]int // how often for the text of an id
	away       bool
	held       map[int]func() // what the answer for an id waits for
}

type registration struct {
	subject, text string
	id            int
}

// firstID has four bytes that all differ, so that an order of bytes cannot be mistaken for another.
const firstID = 0x01020304

var errAway = errors.New("connect: connection refused")

func newRegistry() *registry {
	return &registry{texts: map[int]string{}, asked: map[int]int{}, held: map[int]func(){}}
}

func (r *registry) Register(_ context.Context, subject, text string) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.away {
		return 0, errAway
	}
	for _, known := range r.registered {
		if known.subject == subject && known.text == text {
			return known.id, nil
		}
	}
	return r.add(subject, text), nil
}

// add gives every registration an id of its own. Real registries share one id between subjects with equal schemas; no reader may
// rely on either.
func (r *registry) add(subject, text string) int {
	id := firstID + len(r.registered)
	r.registered = append(r.registered, registration{subject, text, id})
	r.texts[id] = text
	return id
}

// publish is another program that publishes a schema.
func (r *registry) publish(text string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.add("elsewhere", text)
}

func (r *registry) Text(_ context.Context, id int) (string, error) {
	r.ask(id)()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.away {
		return "", errAway
	}
	text, ok := r.texts[id]
	if !ok {
		return "", contract.ErrUnknownSchema
	}
	return text, nil
}

// ask counts, and gives what the answer waits for.
func (r *registry) ask(id int) (wait func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked[id]++
	if wait := r.held[id]; wait != nil {
		return wait
	}
	return func() {}
}

// hold has every answer for an id wait.
func (r *registry) hold(id int, wait func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held[id] = wait
}

func (r *registry) goAway(away bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.away = away
}

func (r *registry) all() []registration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]registration(nil), r.registered...)
}

func (r *registry) times(id int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked[id]
}

// wire is body under the schema that has this version, as some producer wrote it that shares the registry.
func (r *registry) wire(typ string, version int, body []byte) []byte {
	s, _ := schemas.Find(typ, version)
	for _, known := range r.all() {
		if known.text == s.Text {
			return wire(known.id, body)
		}
	}
	return wire(r.publish(s.Text), body)
}

func wire(id int, body []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(id)), body...)
}
