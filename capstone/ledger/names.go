package ledger

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"example.com/blotter/labs/kit/trade"
)

// A Side is one side of an account or of an entry.
type Side string

// The two sides.
const (
	Debit  Side = "debit"
	Credit Side = "credit"
)

// Opposite returns the other side.
func (s Side) Opposite() Side {
	if s == Debit {
		return Credit
	}
	return Debit
}

// signed returns an amount on side s as a number in which debits are positive.
func (s Side) signed(amount trade.Decimal) trade.Decimal {
	if s == Credit {
		return amount.Neg()
	}
	return amount
}

// An AccountType is one of the five types of accounts.
type AccountType string

// The types of accounts.
const (
	Asset     AccountType = "asset"
	Liability AccountType = "liability"
	Equity    AccountType = "equity"
	Income    AccountType = "income"
	Expense   AccountType = "expense"
)

// normal has the side on which an account of each type usually grows.
var normal = map[AccountType]Side{
	Asset: Debit, Expense: Debit, Liability: Credit, Equity: Credit, Income: Credit,
}

// Normal returns the side on which accounts of a type usually grow.
func (t AccountType) Normal() Side { return normal[t] }

// A Line is one side of an entry: a positive amount of a currency on one side of an account.
type Line struct {
	Account  string         `avro:"account" json:"account"`
	Side     Side           `avro:"side" json:"side"`
	Amount   trade.Decimal  `avro:"amount" json:"amount"`
	Currency trade.Currency `avro:"currency" json:"currency"`
}

// signed returns the amount of l, in which debits are positive.
func (l Line) signed() trade.Decimal { return l.Side.signed(l.Amount) }

// LineOf returns the line that moves an account by a signed amount: a positive one is debited.
func LineOf(account string, amount trade.Decimal, c trade.Currency) Line {
	if amount.Sign() < 0 {
		return Line{account, Credit, amount.Neg(), c}
	}
	return Line{account, Debit, amount, c}
}

// reversed returns the lines with their sides swapped.
func reversed(lines []Line) []Line {
	swapped := make([]Line, len(lines))
	for i, l := range lines {
		l.Side = l.Side.Opposite()
		swapped[i] = l
	}
	return swapped
}

var (
	// ids are the names of ledgers and entries. They have no slash, which separates the parts of
	// the name of a stream.
	ids = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:-]{0,79}$`)
	// accounts are the names of accounts: parts from the general to the particular, as in
	// assets:cash:power/DE:EUR.
	accounts = regexp.MustCompile(`^[A-Za-z0-9._/-]+(:[A-Za-z0-9._/-]+)*$`)
	texts    = regexp.MustCompile(`^[^\pC\n|;]*$`)
)

// longestAccount has room for the longest name of a book (trade.References) in a posting rule.
const longestAccount = 160

// Prefixes of the names of streams.
const (
	journalStreams = "journal/"
	accountStreams = "account/"
	periodStreams  = "period/"
	refusalStreams = "ledger-refusals/"
)

// JournalStream returns the name of the stream of an entry.
func JournalStream(ledger, entry string) string { return journalStreams + ledger + "/" + entry }

// AccountStream returns the name of the stream of an account.
func AccountStream(ledger, account string) string { return accountStreams + ledger + "/" + account }

// PeriodStream returns the name of the stream of a period.
func PeriodStream(ledger, period string) string { return periodStreams + ledger + "/" + period }

// RefusalStream returns the name of the stream of the refused commands of a ledger.
func RefusalStream(ledger string) string { return refusalStreams + ledger + "/commands" }

// Of returns the ledger that a stream belongs to, and the name of the entry, account or period. ok
// is false for the streams of other domains.
func Of(stream string) (ledger, name string, ok bool) {
	for _, prefix := range []string{journalStreams, accountStreams, periodStreams, refusalStreams} {
		if rest, found := strings.CutPrefix(stream, prefix); found {
			ledger, name, _ = strings.Cut(rest, "/")
			return ledger, name, true
		}
	}
	return "", "", false
}

// PeriodOf returns the period of a time: its month in the zone of the ledger, such as 2025-03.
func PeriodOf(at time.Time, zone *time.Location) string { return at.In(zone).Format("2006-01") }

// parsePeriod returns the first moment of a period.
func parsePeriod(period string, zone *time.Location) (time.Time, error) {
	from, err := time.ParseInLocation("2006-01", period, zone)
	if err != nil || from.Format("2006-01") != period {
		return time.Time{}, fmt.Errorf("period %q: want a month, such as 2025-03", period)
	}
	return from, nil
}
