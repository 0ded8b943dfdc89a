package codectest

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"sync"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/schemas"
)

// registry is a registry in memory. It behaves like one that many teams share: its ids are large
// and in no order, and it separates subjects. It counts requests, and can stop answering.
type registry struct {
	mu         sync.Mutex
	texts      map[int]string
	registered []registration
	asked      map[int]int // requests for the text of an id
	away       bool
	held       map[int]func() // called before the request for an id is answered
}

type registration struct {
	subject, text string
	id            int
}

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

func (r *registry) RegisterJSON(ctx context.Context, subject, text string) (int, error) {
	return r.Register(ctx, subject, text)
}

// add gives every registration its own id. Real registries share one id between subjects with equal
// schemas. No reader may rely on either.
func (r *registry) add(subject, text string) int {
	id := idFor(subject, text)
	r.registered = append(r.registered, registration{subject, text, id})
	r.texts[id] = text
	return id
}

// idFor derives the id of a registration. A counter would depend on the number of schema files, and
// so would the failure texts of checks. The first byte is not zero.
func idFor(subject, text string) int {
	sum := sha256.Sum256([]byte(subject + "\x00" + text))
	return 1<<24 | int(binary.BigEndian.Uint32(sum[:])>>1)
}

// publish registers a schema as another program does.
func (r *registry) publish(text string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.add(elsewhere, text)
}

// elsewhere is the subject of other programs.
const elsewhere = "elsewhere"

func (r *registry) Text(_ context.Context, id int) (string, error) {
	r.countRequest(id)()
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

// countRequest counts a request for an id. The caller calls wait before it answers.
func (r *registry) countRequest(id int) (wait func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked[id]++
	if wait := r.held[id]; wait != nil {
		return wait
	}
	return func() {}
}

// hold makes the registry call wait before it answers a request for an id.
func (r *registry) hold(id int, wait func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held[id] = wait
}

// setAway sets whether the registry fails to answer.
func (r *registry) setAway(away bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.away = away
}

func (r *registry) all() []registration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]registration(nil), r.registered...)
}

func (r *registry) requests(id int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked[id]
}

// wire returns a body in the wire format under one version of a type, as a producer with the same
// registry writes it.
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
