package publication

import (
	"encoding/json"
	"fmt"
	"time"

	"example.com/blotter/capstone/ledger"
	"example.com/blotter/labs/kit/trade"
	"example.com/blotter/schemas"
)

// An Event is a public event: a CloudEvent (CloudEvents 1.0.2) in structured mode (JSON Event
// Format 1.0.2, section 3). Its bytes follow from the event of the log alone, so a second
// publication has the same ones.
type Event struct {
	SpecVersion string `json:"specversion"`
	ID          string `json:"id"` // that of the event of the log
	Source      string `json:"source"`
	Type        string `json:"type"`
	Subject     string `json:"subject"` // such as entries/E-1
	Time        string `json:"time"`    // recorded
	// PartitionKey is the ledger, and the record's key (CloudEvents extension "Partitioning").
	PartitionKey    string          `json:"partitionkey"`
	DataSchema      string          `json:"dataschema"`
	DataContentType string          `json:"datacontenttype"`
	Data            json.RawMessage `json:"data"`
}

const (
	specVersion = "1.0"
	contentType = "application/cloudevents+json; charset=UTF-8" // of a record
	dataType    = "application/json"
	timeFormat  = "2006-01-02T15:04:05.000000Z" // RFC 3339, always UTC and with microseconds

	// typePrefix makes the name of a public event a type.
	typePrefix = "com.example.blotter."
	// schemaBase is the URI of the folder of the public schemas.
	schemaBase = "https://example.com/blotter/schemas/public/"
)

// The data of the public events. Each has the fields of its schema in schemas/public.
type (
	entryPosted struct {
		Ledger      string `json:"ledger"`
		Entry       string `json:"entry"`
		EffectiveAt string `json:"effective_at"`
		OriginalAt  string `json:"original_at,omitempty"`
		Reverses    string `json:"reverses,omitempty"`
		Replaces    string `json:"replaces,omitempty"`
		Lines       []line `json:"lines"`
	}
	line struct {
		Account  string         `json:"account"`
		Side     ledger.Side    `json:"side"`
		Amount   trade.Decimal  `json:"amount"`
		Currency trade.Currency `json:"currency"`
	}
	accountOpened struct {
		account
		Type       ledger.AccountType `json:"type"`
		NormalSide ledger.Side        `json:"normal_side"`
		Currency   trade.Currency     `json:"currency"`
	}
	account struct {
		Ledger  string `json:"ledger"`
		Account string `json:"account"`
	}
	periodOpened struct {
		period
		Zone string `json:"zone,omitempty"`
	}
	period struct {
		Ledger string `json:"ledger"`
		Period string `json:"period"`
	}
)

// Of returns the public event of a fact. ok is false for a fact that stays inside: a draft, a
// refusal, a blocked account, a name for people, and the sides of an entry, which repeat its lines.
// No public event has a text, a principal or a name for people, which may be personal data.
func Of(log string, f ledger.Fact) (e Event, ok bool, err error) {
	of, name, _ := ledger.Of(f.Stream)
	subject, kind, data := publicOf(of, name, f)
	if data == nil {
		return e, false, nil
	}
	schema, ok := schemas.LatestPublic(kind)
	if !ok {
		return e, false, fmt.Errorf("schemas/public has no schema of %s", kind)
	}
	e = Event{
		SpecVersion: specVersion, ID: f.ID.String(), Source: "/" + log + "/ledgers/" + of,
		Type: typePrefix + kind, Subject: subject + "/" + name,
		Time: f.RecordedAt.UTC().Format(timeFormat), PartitionKey: of,
		DataSchema: schemaBase + schema.File(), DataContentType: dataType,
	}
	e.Data, err = json.Marshal(data)
	return e, true, err
}

// publicOf returns the subject, the name and the data of a fact's public event; nil without one.
func publicOf(of, name string, f ledger.Fact) (subject, kind string, data any) {
	switch body := f.Body.(type) {
	case ledger.JournalEntryPosted:
		return "entries", "entry-posted", entryOf(of, f.EffectiveAt, body)
	case ledger.AccountOpened:
		return "accounts", "account-opened", accountOpened{account{of, name}, body.Type,
			body.Normal, body.Currency}
	case ledger.AccountClosed:
		return "accounts", "account-closed", account{of, name}
	case ledger.AccountReopened:
		return "accounts", "account-reopened", account{of, name}
	case ledger.PeriodOpened:
		return "periods", "period-opened", periodOpened{period{of, name}, body.Zone}
	case ledger.PeriodClosed:
		return "periods", "period-closed", period{of, name}
	case ledger.PeriodReopened:
		return "periods", "period-reopened", period{of, name}
	}
	return "", "", nil
}

func entryOf(of string, effective time.Time, body ledger.JournalEntryPosted) entryPosted {
	e := entryPosted{Ledger: of, Entry: body.Entry, OriginalAt: body.OriginalAt,
		EffectiveAt: effective.UTC().Format(timeFormat), Reverses: body.Reverses,
		Replaces: body.Replaces, Lines: make([]line, len(body.Lines))}
	for i, l := range body.Lines {
		e.Lines[i] = line{l.Account, l.Side, l.Amount, l.Currency}
	}
	return e
}
