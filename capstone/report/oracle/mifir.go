package oracle

import (
	"encoding/xml"
	"errors"
)

// A mifirReport is one element Tx: either New or Cxl has a reference.
type mifirReport struct {
	New struct {
		Reference string `xml:"TxId"`
		Buyer     string `xml:"Buyr>AcctOwnr>Id>LEI"`
		Seller    string `xml:"Sellr>AcctOwnr>Id>LEI"`
		At        string `xml:"Tx>TradDt"`
		Quantity  string `xml:"Tx>Qty>Unit"`
		Change    string `xml:"Tx>DerivNtnlChng"`
		Price     struct {
			Amount   string `xml:",chardata"`
			Currency string `xml:"Ccy,attr"`
		} `xml:"Tx>Pric>Pric>MntryVal>Amt"`
		Name string `xml:"FinInstrm>Othr>FinInstrmGnlAttrbts>FullNm"`
	} `xml:"New"`
	Cancelled string `xml:"Cxl>TxId"`
}

func (r *Repository) mifir(file []byte) (answers []Answer, err error) {
	var doc struct {
		Reports []mifirReport `xml:"FinInstrmRptgTxRpt>Tx"`
	}
	if err := xml.Unmarshal(file, &doc); err != nil {
		return nil, err
	}
	for i, t := range doc.Reports {
		if (t.New.Reference == "") == (t.Cancelled == "") {
			return nil, errors.New("a report is neither new nor a cancellation")
		}
		answers = append(answers, r.mifirRecord(i+1, t))
	}
	return answers, nil
}

func (r *Repository) mifirRecord(n int, t mifirReport) Answer {
	a := Answer{Record: n, Key: t.New.Reference + t.Cancelled}
	before, known := r.State("MIFIR", a.Key)
	switch {
	case t.Cancelled == "" && known:
		a.Code, a.Reason = Duplicate, "the reference was used before"
	case t.Cancelled == "":
		r.put("MIFIR", a.Key, Open, map[string]string{"7": t.New.Buyer, "16": t.New.Seller,
			"30": t.New.Quantity, "32": t.New.Change, "33": t.New.Price.Amount,
			"34": t.New.Price.Currency, "42": t.New.Name})
	case !known:
		a.Code, a.Reason = Unknown, "no report with the reference"
	case before.Status != Open:
		a.Code, a.Reason = Closed, "the report is cancelled"
	default:
		r.put("MIFIR", a.Key, Withdrawn, nil)
	}
	return a
}
