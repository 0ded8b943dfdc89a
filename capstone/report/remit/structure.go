package remit

import "example.com/blotter/capstone/report/form"

// structure is that of REMITTable1_V3.xsd, as ACER publishes it. It was written from the text of
// that file, which a public repository has (app/schemas/REMITTable1_V3.xsd, It-Energy-Ai). Orders,
// legs of spreads and click-and-trade details are left out: a bilateral contract has none of them.
// Of xsd:dateTime and xsd:date, the form is checked, and no calendar.
var structure = form.Structure{
	Namespace: "http://www.acer.europa.eu/REMIT/REMITTable1_V3.xsd",
	Root:      "REMITTable1",
	Types: map[string]string{
		"REMITTable1": "reportingEntityID:party TradeList:trades?",
		"trades":      "TradeReport:trade+",
		"party":       "(ace:ace | lei:lei | bic:bic | eic:eic | gln:gln)",
		"trade": "RecordSeqNumber:seq idOfMarketParticipant:party traderID:trader? " +
			"otherMarketParticipant:party? beneficiaryIdentification:party? " +
			"tradingCapacity:capacity buySellIndicator:side aggressor:aggressor? " +
			"contractInfo:contractInfo organisedMarketPlaceIdentifier:place " +
			"transactionTime:dateTime executionTime:dateTime? " +
			"uniqueTransactionIdentifier:tradeId linkedTransactionId:uti* linkedOrderId:uti* " +
			"voiceBrokered:boolean? priceDetails:price? fixingIndex:fixing* " +
			"notionalAmountDetails:notional? quantity:quantity? " +
			"totalNotionalContractQuantity:total terminationDate:dateTime? " +
			"priceIntervalQuantityDetails:interval* actionType:action Extra:extra?",
		"trader":       "(traderIdForOrganisedMarket:code | traderIdForMarketParticipant:code)",
		"tradeId":      "uniqueTransactionIdentifier:uti additionalUtiInfo:uti?",
		"contractInfo": "(contractId:contractId | contract:contract)",
		"contract": "contractId:contractId contractName:name contractType:contractType " +
			"energyCommodity:commodity energyCommodity:commodity? indexName:index* " +
			"settlementMethod:settlement organisedMarketPlaceIdentifier:place " +
			"contractTradingHours:hours* lastTradingDateTime:dateTime? optionDetails:option? " +
			"deliveryPointOrZone:eic+ deliveryStartDate:date deliveryEndDate:date " +
			"duration:duration? loadType:load? deliveryProfile:profile+",
		"place": "(lei:lei | mic:mic | ace:ace | bil:bil)",
		"hours": "startTime:xsdTime endTime:xsdTime date:date?",
		"option": "optionStyle:style optionType:optionType optionExerciseDate:date* " +
			"optionStrikePrice:strike?",
		"profile": "loadDeliveryStartDate:date? loadDeliveryEndDate:date? daysOfTheWeek:days* " +
			"(loadDeliveryStartTime:time loadDeliveryEndTime:time)+",
		"price":      "price:number priceCurrency:currency",
		"strike":     "value:number currency:currency",
		"fixing":     "indexName:index? indexCurrValue:indexValue*",
		"indexValue": "indexValue:number indexCurrency:currency?",
		"notional":   "notionalAmount:number notionalCurrency:currency",
		"quantity":   "value:number unit:quantityUnit",
		"total":      "value:number unit:totalUnit",
		"interval": "intervalStartDate:date? intervalEndDate:date? daysOfTheWeek:days? " +
			"(intervalStartTime:time intervalEndTime:time)+ (quantity:number unit:quantityUnit)? " +
			"priceTimeIntervalQuantity:strike?",
	},
	Values: map[string]form.Value{
		"ace": {Pattern: `[A-Za-z0-9_]{9}\.[A-Z]{2}`},
		"lei": {Pattern: `[A-Za-z0-9_]{20}`},
		"bic": {Pattern: `[A-Za-z0-9_]{11}`},
		"eic": {Pattern: `[0-9]{2}[XYZTWV].{13}`},
		"gln": {Pattern: `[A-Za-z0-9_-]{13}`},
		"mic": {Pattern: `[A-Za-z0-9_]{4}`},
		"bil": form.Code("XBIL"),

		"seq":        {Pattern: `0*[1-9][0-9]*`},
		"code":       {Pattern: `[A-Za-z0-9_ -]{1,100}`},
		"uti":        {Pattern: utiPattern},
		"contractId": {Pattern: `[A-Za-z0-9_:-]{1,50}`},
		"name":       {Pattern: `(?s).{1,200}`},
		"index":      {Pattern: `[A-Za-z0-9_ -]{1,150}`},
		"extra":      {Pattern: `\w+==(\d+\.\d+|\d+|\w+)(;\w+==(\d+\.\d+|\d+|\w+))*`},
		"number":     {Pattern: `[-+]?\d+(\.\d{1,5}0*)?`, Digits: 20},
		"date":       {Pattern: `\d{4}-\d{2}-\d{2}`},
		"dateTime":   {Pattern: `\d{4}(-\d{2}){2}T(\d{2}:){2}\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})`},
		"time":       {Pattern: `(\d{2}:){2}\d{2}`},
		"xsdTime":    {Pattern: `(\d{2}:){2}\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})?`},
		"days":       {Pattern: day + `to` + day + `|` + day + `|XB|IB|WD|WN`},
		"boolean":    form.Code("true Y false N"),
		"capacity":   form.Code("P A"),
		"side":       form.Code("B S C"),
		"aggressor":  form.Code("A I S"),
		"action":     form.Code("N M E C"),
		"commodity":  form.Code("EL NG LG"),
		"settlement": form.Code("P C O"),
		"style":      form.Code("A B E S O"),
		"optionType": form.Code("C P O"),
		"duration":   form.Code("N H D W M Q S Y O"),
		"load":       form.Code("BL PL OP BH SH GD OT"),
		"currency":   form.Code(currencies),
		"totalUnit":  form.Code(totalUnits),
		"contractType": form.Code("AU CO FW FU OP OP_FW OP_FU OP_SW SP SW OT OP_SP SWG FW_EFP " +
			"FW_EFS FU_EFP FU_EFS FW_DES FW_FOB FU_DES FU_FOB OP_DES OP_FOB SP_DES SP_FOB SW_DES " +
			"SW_FOB SWG_DES SWG_FOB SO_PPA FW_PPA FU_PPA OP_PPA SP_PPA SW_PPA"),
		"quantityUnit": form.Code("KW KWh/h KWh/d MW MWh/h MWh/d GW GWh/h GWh/d Therm/d KTherm/d " +
			"MTherm/d cm/d mcm/d Btu/d MMBtu/d MJ/d 100MJ/d MMJ/d GJ/d tcm/d"),
	},
}.Compile()

const (
	utiPattern = `[A-Za-z0-9_-]([A-Za-z0-9_ -]{0,98}[A-Za-z0-9_-])?`
	day        = `(SU|MO|TU|WE|TH|FR|SA)`
	currencies = "BGN CHF CZK DKK EUR EUX GBX GBP HRK HUF ISK NOK PCT PLN RON SEK USD OTH"
	totalUnits = "KWh MWh GWh Therm KTherm MTherm cm mcm Btu MMBtu MJ 100MJ MMJ GJ tcm"
)
