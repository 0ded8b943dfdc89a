package repository

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
)

// Elements of REMIT Table 1 and of auth.016 that the repository reads. report is NEWT or CANC.
const (
	supplyUTI    = "uniqueTransactionIdentifier/uniqueTransactionIdentifier"
	supplyAction = "actionType"
	supplyTime   = "transactionTime"
	supplyPrice  = "priceDetails/price"
	supplyTotal  = "totalNotionalContractQuantity/value"
	entity       = "/reportingEntityID/lei"
	reference    = "TxId"
	status       = "report"
)

// supplies reads a file of REMIT. Each record has the reporting entity of the file, too.
func supplies(file []byte) ([]Record, error) {
	const space = "http://www.acer.europa.eu/REMIT/REMITTable1_V3.xsd"
	all, err1 := elements(file, space, "REMITTable1/TradeList/TradeReport")
	heads, err2 := elements(file, space, "REMITTable1/reportingEntityID")
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	for _, r := range all {
		for _, head := range heads {
			r[entity] = head["lei"]
		}
	}
	return all, nil
}

// judgeSupply judges a record of REMIT (TRUM 4.7). An E names the record that it withdraws by its
// time, price and quantity: the rules of the mechanism about the other elements were not read.
func judgeSupply(h Held, r Record) (code, text string) {
	id := regexp.MustCompile(`^[A-Za-z0-9_ -]{1,100}$`)
	if !matches(r, map[string]*regexp.Regexp{entity: lei, "idOfMarketParticipant/lei": lei,
		"otherMarketParticipant/lei": lei, supplyUTI: id, supplyTime: moment, supplyTotal: number,
		supplyAction: regexp.MustCompile(`^[NMEC]$`)}) {
		return "FORMAT", "a mandatory element is blank, or has another form"
	}
	known := len(h.Records) > 0
	switch a := r[supplyAction]; {
	case (a == "N") == known, h.State == "ended" && a != "E":
		return stateOf(a, h.State)
	case a == "E":
		last := h.Records[len(h.Records)-1]
		for _, name := range []string{supplyTime, supplyPrice, supplyTotal} {
			if last[name] != r[name] {
				return "RECORD", fmt.Sprintf("the last record has the %s %s", name, last[name])
			}
		}
	}
	return "", ""
}

// keepSupply keeps the records that no E has withdrawn.
func keepSupply(h Held, r Record) Held {
	n := len(h.Records)
	if r[supplyAction] == "E" {
		h.Records = h.Records[: n-1 : n-1]
	} else {
		h.Records = append(h.Records[:n:n], r)
	}
	switch n := len(h.Records); {
	case n == 0:
		h.State = "withdrawn"
	case h.Records[n-1][supplyAction] == "C":
		h.State = "ended"
	default:
		h.State = "open"
	}
	return h
}

// transactions reads a file of MiFIR.
func transactions(file []byte) (all []Record, err error) {
	found, err := elements(file, "urn:iso:std:iso:20022:tech:xsd:auth.016.001.01",
		"Document/FinInstrmRptgTxRpt/Tx")
	for _, f := range found {
		r := Record{}
		var issued, cancelled bool
		for path, text := range f {
			kind, rest, _ := strings.Cut(path, "/")
			issued, cancelled = issued || kind == "New", cancelled || kind == "Cxl"
			r[rest] = text
		}
		if r[status] = "NEWT"; cancelled {
			r[status] = "CANC"
		}
		if issued == cancelled {
			r[status] = "" // a form that is refused
		}
		all = append(all, r)
	}
	return all, err
}

// judgeTransaction judges a report of MiFIR (RTS 22, Annex I, fields 1 and 2).
func judgeTransaction(h Held, r Record) (code, text string) {
	forms := map[string]*regexp.Regexp{reference: regexp.MustCompile(`^[A-Z0-9]{1,52}$`),
		"ExctgPty": lei, "SubmitgPty": lei, status: regexp.MustCompile(`^(NEWT|CANC)$`)}
	if r[status] == "NEWT" {
		forms["Buyr/AcctOwnr/Id/LEI"], forms["Sellr/AcctOwnr/Id/LEI"] = lei, lei
		forms["Tx/TradDt"], forms["Tx/Qty/Unit"] = moment, number
	}
	switch {
	case !matches(r, forms):
		return "FORMAT", "a mandatory element is blank, or has another form"
	case (r[status] == "NEWT") != (h.State == ""), h.State == "cancelled":
		return stateOf(r[status], h.State)
	}
	return "", ""
}

// keepTransaction keeps a report until it is cancelled. Its reference is never free again.
func keepTransaction(_ Held, r Record) Held {
	if r[status] == "CANC" {
		return Held{State: "cancelled"}
	}
	return Held{"reported", []Record{r}}
}

var (
	moment = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$`)
	number = regexp.MustCompile(`^-?\d{1,20}(\.\d{1,17})?$`)
)

// elements returns each element at a path: the text of every element below it that has no elements,
// and of every attribute, by its path. The texts of repeated elements are lines.
func elements(file []byte, space, at string) (all []Record, err error) {
	var path []string
	var text strings.Builder
	leaf, d := false, xml.NewDecoder(bytes.NewReader(file))
	set := func(name, value string) {
		if before, again := all[len(all)-1][name]; again {
			value = before + "\n" + value
		}
		all[len(all)-1][name] = value
	}
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) && len(path) == 0 && len(file) > 0 {
			return all, nil
		}
		if err != nil {
			return nil, fmt.Errorf("the report is no XML document: %w", err)
		}
		switch t := token.(type) {
		case xml.StartElement:
			if t.Name.Space != space {
				return nil, fmt.Errorf("the report is in the namespace %q: it is of other rules",
					t.Name.Space)
			}
			path, leaf = append(path, t.Name.Local), true
			text.Reset()
			if here := strings.Join(path, "/"); here == at {
				all = append(all, Record{})
			} else if below, in := strings.CutPrefix(here, at+"/"); in {
				for _, a := range t.Attr {
					set(below+"/@"+a.Name.Local, a.Value)
				}
			}
		case xml.CharData:
			text.Write(t)
		case xml.EndElement:
			below, in := strings.CutPrefix(strings.Join(path, "/"), at+"/")
			if in && leaf {
				set(below, text.String())
			}
			path, leaf = path[:len(path)-1], false
		}
	}
}
