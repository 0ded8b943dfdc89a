package codec

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/sr"

	"example.com/blotter/labs/kit/contract"
)

// A Registry gives schemas their ids.
type Registry = contract.Registry

// Confluent returns a registry that speaks Confluent's REST interface. The options say where it is
// and how to sign in.
func Confluent(options ...sr.ClientOpt) (Registry, error) {
	client, err := sr.NewClient(append(options, sr.UserAgent("blotter"))...)
	if err != nil {
		return nil, fmt.Errorf("schema registry: %w", err)
	}
	return confluent{client}, nil
}

type confluent struct{ client *sr.Client }

func (r confluent) Register(ctx context.Context, subject, text string) (int, error) {
	schema := sr.Schema{Schema: text, Type: sr.TypeAvro}
	return r.client.RegisterSchema(ctx, subject, schema, -1, -1)
}

func (r confluent) RegisterJSON(ctx context.Context, subject, text string) (int, error) {
	schema := sr.Schema{Schema: text, Type: sr.TypeJSON}
	return r.client.RegisterSchema(ctx, subject, schema, -1, -1)
}

// notFound is the registry's error code for an id that it does not have.
const notFound = 40403

func (r confluent) Text(ctx context.Context, id int) (string, error) {
	schema, err := r.client.SchemaByID(ctx, id)
	var answer *sr.ResponseError
	if errors.As(err, &answer) && answer.ErrorCode == notFound {
		return "", fmt.Errorf("%w: %s", contract.ErrUnknownSchema, answer.Message)
	}
	return schema.Schema, err
}

// InMemory returns a registry that lasts as long as the process. It numbers schemas from 1 in the
// order of their first registration. Ids change when the catalog grows: ask Register for them.
func InMemory() Registry { return &inMemory{} }

type inMemory struct {
	mu    sync.Mutex
	texts []string // the schema with id n is at n-1
}

func (r *inMemory) Register(_ context.Context, _, text string) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, known := range r.texts {
		if known == text {
			return i + 1, nil
		}
	}
	r.texts = append(r.texts, text)
	return len(r.texts), nil
}

func (r *inMemory) RegisterJSON(ctx context.Context, subject, text string) (int, error) {
	return r.Register(ctx, subject, text)
}

func (r *inMemory) Text(_ context.Context, id int) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if id < 1 || id > len(r.texts) {
		return "", contract.ErrUnknownSchema
	}
	return r.texts[id-1], nil
}
