// Package search is a read model for questions about contracts and the reasons of their events.
//
//	contracts  the attributes of each contract   ◀─ refolded for each event of the contract
//	reasons    the reason of each event of a contract, with an index of its words
//
// The attributes are those of trade.Trade in JSON, with the commodity, the delivery point and the
// delivery of the instrument. A word is found in any case, and only in its own form: reasons may be
// in any language, so the text search configuration is "simple" (PostgreSQL manual, section
// 12.6.2).
package search

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	"example.com/blotter/solutions/3-projections/readmodel"
)

//go:embed tables.sql
var tables string

// A Model is the read model. It keeps nothing in memory.
type Model struct{ *readmodel.Model }

// OpenAs opens the model in a schema: see readmodel.OpenAs.
func OpenAs(ctx context.Context, app, owner, schema string, codec contract.Codec) (*Model, error) {
	kind := readmodel.Kind{
		Tables: tables, Readers: []string{"auditor", "compliance"}, Split: true,
		Takes: func(stream string) bool {
			return strings.HasPrefix(stream, trade.TradeStream(""))
		},
	}
	kind.Fold = readmodel.Stateless(func(ctx context.Context, tx pgx.Tx,
		fresh []contract.Recorded) error {
		streams, err := readmodel.Histories(ctx, tx, codec, fresh, nil)
		if err != nil {
			return err
		}
		if err := putContracts(ctx, tx, streams); err != nil {
			return fmt.Errorf("put contracts: %w", err)
		}
		return insertReasons(ctx, tx, fresh)
	})
	m, err := readmodel.OpenAs(ctx, app, owner, schema, kind)
	return &Model{m}, err
}

// A Contract is a contract with the attributes of the search.
type Contract struct {
	trade.Trade
	Commodity trade.Commodity `json:"commodity"`
	Zone      string          `json:"zone"`
	Delivery  string          `json:"delivery"`
}

// ContractOf returns a contract with the attributes of the search.
func ContractOf(t trade.Trade) Contract {
	i := t.Terms.Instrument
	return Contract{t, i.Commodity, i.Zone, i.Delivery.String()}
}

// putContracts folds each stream from its first event. Of a parked stream, the longest legal prefix
// counts.
func putContracts(ctx context.Context, tx pgx.Tx, streams map[string]readmodel.History) error {
	const put = `
INSERT INTO contracts (uti, attributes)
SELECT c->>'uti', c FROM jsonb_array_elements($1::jsonb) c
ON CONFLICT (uti) DO UPDATE SET attributes = excluded.attributes`
	all, gone := []Contract{}, []string{}
	for _, stream := range slices.Sorted(maps.Keys(streams)) {
		uti := strings.TrimPrefix(stream, trade.TradeStream(""))
		t, _ := trade.Fold(uti, streams[stream].Events, trade.AsOf{})
		if t.Status != "" {
			all = append(all, ContractOf(t))
		} else { // no contract has begun: its first event is illegal or skipped
			gone = append(gone, uti)
		}
	}
	if _, err := tx.Exec(ctx, "DELETE FROM contracts WHERE uti = ANY($1)", gone); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, put, all)
	return err
}

func insertReasons(ctx context.Context, tx pgx.Tx, fresh []contract.Recorded) error {
	columns := []string{"uti", "version", "type", "actor", "approver", "recorded_at", "reason"}
	rows := pgx.CopyFromSlice(len(fresh), func(i int) ([]any, error) {
		r := fresh[i]
		return []any{
			strings.TrimPrefix(r.Stream, trade.TradeStream("")), r.Version, r.Type, r.Actor,
			r.Approver, r.RecordedAt, r.Reason,
		}, nil
	})
	if _, err := tx.CopyFrom(ctx, pgx.Identifier{"reasons"}, columns, rows); err != nil {
		return fmt.Errorf("insert reasons: %w", err)
	}
	return nil
}

// A Query selects contracts. Its conditions hold all at once.
type Query struct {
	Where map[string]string // the values of attributes, by name
	Words string            // as in a web search: words, "phrases", or, -without
}

// A Found is a contract, with the events whose reasons have the words of the query.
type Found struct {
	Contract
	Reasons []Reason `json:"reasons"`
}

// A Reason is the reason of an event.
type Reason struct {
	Version    int64     `json:"version"`
	Type       string    `json:"type"`
	Actor      string    `json:"actor"`
	Approver   string    `json:"approver,omitempty"`
	RecordedAt time.Time `json:"recorded_at"`
	Reason     string    `json:"reason"`
}

// An Answer has the contracts that a query found, by UTI, and the cursor of the model.
type Answer struct {
	Cursor contract.Cursor
	Found  []Found
}

// selectFound finds contracts by attributes and by words. Both conditions use an index.
const selectFound = `
WITH hits AS (
    SELECT r.uti, jsonb_agg(jsonb_build_object('version', version, 'type', type, 'actor', actor,
               'approver', approver, 'recorded_at', recorded_at, 'reason', reason)
               ORDER BY version) AS reasons
    FROM reasons r
    WHERE $2 <> '' AND words @@ websearch_to_tsquery('simple', $2)
    GROUP BY r.uti
)
SELECT c.attributes, coalesce(h.reasons, '[]')
FROM contracts c LEFT JOIN hits h USING (uti)
WHERE c.attributes @> $1::jsonb AND ($2 = '' OR h.uti IS NOT NULL)
ORDER BY c.uti`

// Search returns the contracts that a query selects.
func (m *Model) Search(ctx context.Context, q Query) (a Answer, err error) {
	where := map[string]string{}
	maps.Copy(where, q.Where) // never nil: null is no object
	err = m.Read(ctx, func(tx pgx.Tx) error {
		if a.Cursor, err = readmodel.CursorOf(ctx, tx); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, selectFound, where, q.Words)
		if err != nil {
			return err
		}
		a.Found, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (f Found, err error) {
			return f, row.Scan(&f.Contract, &f.Reasons)
		})
		return err
	})
	if err != nil {
		return a, fmt.Errorf("search contracts: %w", err)
	}
	return a, nil
}

// Attributes returns the names of the attributes that a query can name, sorted.
func Attributes() []string {
	text, err := json.Marshal(Contract{Trade: trade.Trade{PriorUTI: "-"}})
	if err != nil {
		panic(fmt.Sprintf("a contract that does not marshal: %v", err)) // it is plain data
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(text, &all); err != nil {
		panic(fmt.Sprintf("a contract that is no object: %v", err))
	}
	return slices.Sorted(maps.Keys(all))
}
