package oracle

import (
	"encoding/xml"
	"fmt"
)

// A remitRecord has the elements of a TradeReport that the model compares.
type remitRecord struct {
	Seq      int    `xml:"RecordSeqNumber"`
	Other    string `xml:"otherMarketParticipant>lei"`
	Trader   string `xml:"traderID>traderIdForMarketParticipant"`
	Side     string `xml:"buySellIndicator"`
	Type     string `xml:"contractInfo>contract>contractType"`
	Zone     string `xml:"contractInfo>contract>deliveryPointOrZone"`
	Load     string `xml:"contractInfo>contract>loadType"`
	From     string `xml:"contractInfo>contract>deliveryStartDate"`
	To       string `xml:"contractInfo>contract>deliveryEndDate"`
	Time     string `xml:"transactionTime"`
	UTI      string `xml:"uniqueTransactionIdentifier>uniqueTransactionIdentifier"`
	Linked   string `xml:"linkedTransactionId"`
	Price    string `xml:"priceDetails>price"`
	Currency string `xml:"priceDetails>priceCurrency"`
	Total    string `xml:"totalNotionalContractQuantity>value"`
	Unit     string `xml:"totalNotionalContractQuantity>unit"`
	Ends     string `xml:"terminationDate"`
	Action   string `xml:"actionType"`
}

// same reports whether an error repeats a record: all but the number in the file and the action.
func (t remitRecord) same(o remitRecord) bool {
	t.Seq, t.Action = o.Seq, o.Action
	return t == o
}

func (t remitRecord) terms() map[string]string {
	return map[string]string{"4": t.Other, "3": t.Trader, "11": t.Side, "35": t.Price,
		"37": t.Currency, "41": t.Total, "42": t.Unit, "48": t.Zone, "52": t.Load, "32": t.Linked}
}

func (r *Repository) remit(file []byte) (answers []Answer, err error) {
	var doc struct {
		Records []remitRecord `xml:"TradeList>TradeReport"`
	}
	if err := xml.Unmarshal(file, &doc); err != nil {
		return nil, err
	}
	for i, t := range doc.Records {
		if t.Seq != i+1 {
			return nil, fmt.Errorf("record %d has the number %d", i+1, t.Seq)
		}
		answers = append(answers, r.remitRecord(t))
	}
	return answers, nil
}

func (r *Repository) remitRecord(t remitRecord) Answer {
	a := Answer{Record: t.Seq, Key: t.UTI}
	stack := r.stacks[t.UTI]
	var last remitRecord
	if len(stack) > 0 {
		last = stack[len(stack)-1]
	}
	switch {
	case t.Action == "N" && len(stack) > 0:
		a.Code, a.Reason = Duplicate, "the contract is known"
	case t.Action != "N" && len(stack) == 0:
		a.Code, a.Reason = Unknown, "no record of the contract"
	case t.Action == "E" && !t.same(last):
		a.Code, a.Reason = NotLast, fmt.Sprintf("the last record is %+v", last)
	case t.Action == "E":
		stack = stack[:len(stack)-1]
	case last.Action == "C":
		a.Code, a.Reason = Closed, t.Action+" of a contract that has ended"
	default:
		stack = append(stack, t)
	}
	if a.Accepted() {
		r.stacks[t.UTI] = stack
		r.remitState(t.UTI, stack)
	}
	return a
}

// remitState sets the state of a contract from the records that were not withdrawn.
func (r *Repository) remitState(uti string, stack []remitRecord) {
	if len(stack) == 0 {
		r.put("REMIT", uti, Withdrawn, nil)
		return
	}
	last, status := stack[len(stack)-1], Open
	if last.Action == "C" {
		status = Ended
	}
	r.put("REMIT", uti, status, last.terms())
}
