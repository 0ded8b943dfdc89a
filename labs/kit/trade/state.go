package trade

import "time"

// Status is where a contract is in its life.
type Status string

const (
	Live       Status = "LIVE"
	Voided     Status = "VOIDED"
	Terminated Status = "TERMINATED"
	Novated    Status = "NOVATED"
	Settled    Status = "SETTLED"
	Exercised  Status = "EXERCISED"
)

// A LegKey orders legs across trades: by effective time, then stream, slot version and leg. Nothing in it depends on
// when or in which order events were recorded.
type LegKey struct {
	EffectiveAt time.Time `json:"effective_at"`
	Stream      string    `json:"stream"`
	Version     int64     `json:"version"` // of the slot
	N           int       `json:"n"`
}

// A PoolKey is what nets against each other.
type PoolKey struct {
	Book       string   `json:"book"`
	Instrument string   `json:"instrument"` // Instrument.ID
	Currency   Currency `json:"currency"`
}

// A Leg is one movement of a pool: quantity (bought positive) and amount (cash to us). There is no price in it: a price
// derived from the two would have to be rounded.
type Leg struct {
	Key      LegKey  `json:"key"`
	Pool     PoolKey `json:"pool"`
	Side     Side    `json:"side"` // of the contract it belongs to
	Quantity Decimal `json:"quantity"`
	Amount   Decimal `json:"amount"`
}

// A Trade is the state of one contract.
type Trade struct {
	UTI          string   `json:"uti"`
	Status       Status   `json:"status"`
	Book         string   `json:"book"`
	Counterparty string   `json:"counterparty"`
	Trader       string   `json:"trader"`
	Side         Side     `json:"side"`
	Instrument   string   `json:"instrument"` // Instrument.ID
	Unit         Unit     `json:"unit"`
	Currency     Currency `json:"currency"`
	Price        Decimal  `json:"price"`
	PriorUTI     string   `json:"prior_uti,omitempty"`

	// Contracted is always the sum of the other five, each of which is never negative.
	Contracted Decimal `json:"contracted"`
	Open       Decimal `json:"open"`
	Settled    Decimal `json:"settled"`
	Novated    Decimal `json:"novated"`
	Exercised  Decimal `json:"exercised"`
	Terminated Decimal `json:"terminated"`

	SettledAmount Decimal `json:"settled_amount"` // what was settled, at the contract price

	Terms New   `json:"-"` // as agreed now
	Legs  []Leg `json:"-"` // in the order of their keys

	reducedBy Status // what the last reduction would have closed the contract as
}

// A Result is the P&L of a pool by one method.
type Result struct {
	Cost       Decimal  `json:"cost"`       // of the open quantity: paid positive, received negative
	Realised   Decimal  `json:"realised"`   // by what was closed
	Unrealised *Decimal `json:"unrealised"` // market value less cost; null without a mark
}

// A Position is a pool and what it is worth.
type Position struct {
	PoolKey
	Unit        Unit     `json:"unit"`
	Quantity    Decimal  `json:"quantity"`     // bought positive, sold negative
	MarketValue *Decimal `json:"market_value"` // null without a mark
	AverageCost Result   `json:"average_cost"`
	FIFO        Result   `json:"fifo"`
}

// State is the business state: what every replay must reproduce to the byte.
type State struct {
	Trades    []Trade    // sorted by UTI
	Positions []Position // sorted by book, instrument, currency
}
