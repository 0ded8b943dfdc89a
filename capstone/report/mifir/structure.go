package mifir

import "example.com/blotter/capstone/report/form"

// structure is the part of ISO 20022 auth.016.001.01 that a commodity derivative needs. It is not
// the official schema file, which could not be read. It was written from classes that a public
// repository generated from ESMA's DRAFT15auth.016.001.01_ESMAUG_Reporting_1.0.3, and that quote
// its types (package es.com.cc.core.schema). Unverified are the types whose text was not found
// there: the owner of an account (PartyIdentification76), an amount with a sign
// (AmountAndDirection53), the identification of a person (PersonIdentification12: read for
// auth.016.001.03) with its scheme, and the root. Debt instruments, swaps, baskets, indices and the
// details of natural persons are left out.
var structure = form.Structure{
	Namespace: "urn:iso:std:iso:20022:tech:xsd:auth.016.001.01",
	Root:      "Document",
	Types: map[string]string{
		"Document": "FinInstrmRptgTxRpt:list",
		"list":     "Tx:entry+",
		"entry":    "(New:new | Cxl:cancel)",
		"cancel":   "TxId:reference ExctgPty:lei SubmitgPty:lei",
		"new": "TxId:reference ExctgPty:lei InvstmtPtyInd:boolean SubmitgPty:lei Buyr:side " +
			"Sellr:side OrdrTrnsmssn:transmission Tx:transaction FinInstrm:instrument " +
			"InvstmtDcsnPrsn:decision? ExctgPrsn:execution AddtlAttrbts:indicators",
		"side":         "AcctOwnr:owner+ DcsnMakr:maker*",
		"owner":        "Id:party CtryOfBrnch:country?",
		"party":        "(LEI:lei | MIC:mic | Intl:internal)",
		"maker":        "LEI:lei",
		"transmission": "TrnsmssnInd:boolean TrnsmttgBuyr:lei? TrnsmttgSellr:lei?",
		"transaction": "TradDt:dateTime TradgCpcty:capacity Qty:quantity DerivNtnlChng:change? " +
			"Pric:price NetAmt:amount5? TradVn:mic CtryOfBrnch:country? UpFrntPmt:signed5? " +
			"TradPlcMtchgId:reference? CmplxTradCmpntId:package?",
		"quantity":   "(Unit:quantity17 | NmnlVal:money5 | MntryVal:money5)",
		"price":      "(Pric:priceValue | NoPric:noPrice)",
		"priceValue": "(MntryVal:signed13 | Pctg:percent | Yld:percent | BsisPts:points)",
		"signed13":   "Amt:money13 Sgn:boolean?",
		"signed5":    "Amt:money5 Sgn:boolean?",
		"money13":    "@Ccy:currency #amount13",
		"money5":     "@Ccy:currency #amount5",
		"noPrice":    "Pdg:pending Ccy:currency?",
		"instrument": "(Id:isin | Othr:described)",
		"described":  "FinInstrmGnlAttrbts:general DerivInstrmAttrbts:derivative",
		"general":    "Id:isin? FullNm:text350 ClssfctnTp:cfi NtnlCcy:currency?",
		"derivative": "XpryDt:date? PricMltplr:quantity17 UndrlygInstrm:underlying " +
			"OptnTp:optionType? StrkPric:price? OptnExrcStyle:style? DlvryTp:delivery",
		"underlying": "Othr:single",
		"single":     "Sngl:id",
		"id":         "ISIN:isin",
		"decision":   "(Prsn:person | Algo:algorithm)",
		"execution":  "(Prsn:person | Algo:algorithm | Clnt:noReason)",
		"person":     "CtryOfBrnch:country Othr:national",
		"national":   "Id:nationalId SchmeNm:scheme",
		"scheme":     "(Cd:schemeCode | Prtry:proprietary)",
		"indicators": "WvrInd:waiver* ShrtSellgInd:short? OTCPstTradInd:postTrade* " +
			"RskRdcgTx:boolean? SctiesFincgTxInd:boolean",
	},
	Values: map[string]form.Value{
		"reference":   {Pattern: `[A-Z0-9]{1,52}`},
		"lei":         {Pattern: `[A-Z0-9]{18}[0-9]{2}`},
		"mic":         {Pattern: `[A-Z0-9]{4}`},
		"isin":        {Pattern: `[A-Z]{2}[A-Z0-9]{9}[0-9]`},
		"cfi":         {Pattern: `[A-Z]{6}`},
		"country":     {Pattern: `[A-Z]{2}`},
		"currency":    {Pattern: `[A-Z]{3}`},
		"internal":    form.Code("INTC"),
		"boolean":     form.Code("true false"),
		"dateTime":    {Pattern: `\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?Z`},
		"date":        {Pattern: `\d{4}-\d{2}-\d{2}`},
		"capacity":    form.Code("DEAL MTCH AOTC"),
		"change":      form.Code("INCR DECR"),
		"quantity17":  {Pattern: `\d+(\.\d{1,17})?`, Digits: 18},
		"amount13":    {Pattern: `\d+(\.\d{1,13})?`, Digits: 18},
		"amount5":     {Pattern: `\d+(\.\d{1,5})?`, Digits: 18},
		"percent":     {Pattern: `-?\d+(\.\d{1,10})?`, Digits: 11},
		"points":      {Pattern: `-?\d+(\.\d{1,17})?`, Digits: 18},
		"pending":     form.Code("PNDG NOAP"),
		"package":     {Pattern: `[A-Z0-9]{1,35}`},
		"text350":     {Pattern: `.{1,350}`},
		"optionType":  form.Code("CALL PUTO OTHR"),
		"style":       form.Code("EURO AMER ASIA BERM OTHR"),
		"delivery":    form.Code("PHYS CASH OPTL"),
		"algorithm":   {Pattern: `[A-Z0-9]{1,50}`},
		"noReason":    form.Code("NORE"),
		"nationalId":  {Pattern: `[A-Z0-9]{1,35}`},
		"schemeCode":  form.Code("NIDN CCPT"),
		"proprietary": form.Code("CONCAT"),
		"waiver":      form.Code("RFPT NLIQ OILQ PRIC SIZE ILQD"),
		"short":       form.Code("SESH SSEX SELL UNDI"),
		"postTrade": form.Code("BENC ACTX LRGS ILQD SIZE CANC AMND SDIV RPRI DUPL TNCP TPAC " +
			"XFPH"),
	},
}.Compile()
