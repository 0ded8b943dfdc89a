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
	if !matches(r, map[string]*regexp.Regexp{entity: lei, "idOfMarketParticipant/lei": lei,
		"otherMarketParticipant/lei": lei, supplyUTI: supplyID, supplyTime: moment,
		supplyTotal: number, supplyAction: supplyActions}) {
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
	forms := map[string]*regexp.Regexp{reference: referenceForm, "ExctgPty": lei,
		"SubmitgPty": lei, status: statusForm}
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
	moment        = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$`)
	number        = regexp.MustCompile(`^-?\d{1,20}(\.\d{1,17})?$`)
	supplyID      = regexp.MustCompile(`^[A-Za-z0-9_ -]{1,100}$`)
	supplyActions = regexp.MustCompile(`^[NMEC]$`)
	referenceForm = regexp.MustCompile(`^[A-Z0-9]{1,52}$`)
	statusForm    = regexp.MustCompile(`^(NEWT|CANC)$`)
)

// elements returns each element at a path: the text of every element below it that has no elements,
// and of every attribute, by its path. The texts of repeated elements are lines.
func elements(file []byte, space, at string) ([]Record, error) {
	d, doc := xml.NewDecoder(bytes.NewReader(file)), document{at: at}
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) && len(doc.path) == 0 && len(file) > 0 {
			return doc.found, nil
		}
		if err != nil {
			return nil, fmt.Errorf("the report is no XML document: %w", err)
		}
		if t, ok := token.(xml.StartElement); ok && t.Name.Space != space {
			line, _ := d.InputPos()
			return nil, fmt.Errorf("the report: line %d: %s is in the namespace %q: it is of "+
				"other rules", line, t.Name.Local, t.Name.Space)
		}
		doc.take(token)
	}
}

// A document is the part of an XML document that was read.
type document struct {
	at    string   // the path of the elements to be found
	path  []string // of the open element
	text  strings.Builder
	leaf  bool // the open element has no element yet
	found []Record
}

func (d *document) take(token xml.Token) {
	switch t := token.(type) {
	case xml.StartElement:
		d.path, d.leaf = append(d.path, t.Name.Local), true
		d.text.Reset()
		if strings.Join(d.path, "/") == d.at {
			d.found = append(d.found, Record{})
		} else if below, in := d.below(); in {
			for _, a := range t.Attr {
				d.set(below+"/@"+a.Name.Local, a.Value)
			}
		}
	case xml.CharData:
		d.text.Write(t)
	case xml.EndElement:
		if below, in := d.below(); in && d.leaf {
			d.set(below, d.text.String())
		}
		d.path, d.leaf = d.path[:len(d.path)-1], false
	}
}

// below returns the path of the open element below the last one that was found.
func (d *document) below() (path string, in bool) {
	return strings.CutPrefix(strings.Join(d.path, "/"), d.at+"/")
}

func (d *document) set(name, value string) {
	last := d.found[len(d.found)-1]
	if before, again := last[name]; again {
		value = before + "\n" + value
	}
	last[name] = value
}
