package simulate

import "example.com/blotter/labs/kit/trade"

// thermMWh is a therm in MWh.
var thermMWh = trade.Dec("0.0293071")

// inTherms enters a forward on British gas in thousands of therms, at a price per therm. A deal in
// MW stays as it is, and so does an option, whose strike is part of a name.
func inTherms(cmd trade.Command) trade.Command {
	n := cmd.Body.(trade.New)
	i := n.Instrument
	if i.Zone != "NBP" || i.Option != nil || n.Quantity.Unit != trade.MWh {
		return cmd
	}
	thousands := trade.MulDiv(n.Quantity.Value, trade.Int(1), thermMWh.Mul(trade.Int(1000)), 0)
	n.Quantity = trade.Quantity{Value: thousands.Mul(trade.Int(1000)), Unit: trade.Therm}
	n.Price = n.Price.Mul(thermMWh).Round(4)
	cmd.Body, cmd.PriceUnit = n, trade.Therm
	return cmd
}

// inInvoiceUnit enters a move on gas in the unit of the paper that it comes from: a settlement of
// British gas in kWh, as it is invoiced; at TTF, an early end in GJ, and another volume in whole
// MMBtu.
func inInvoiceUnit(zone string, cmd trade.Command) trade.Command {
	switch b := cmd.Body.(type) {
	case trade.Settle:
		if zone == "NBP" {
			b.Quantity = inUnit(b.Quantity, trade.KWh, trade.Int(1000), 3)
			b.Price = trade.MulDiv(b.Price, trade.Int(1), trade.Int(1000), 6)
			cmd.Body, cmd.PriceUnit = b, trade.KWh
		}
	case trade.Cancel:
		if zone == "TTF" {
			b.Quantity = inUnit(b.Quantity, trade.GJ, trade.Dec("3.6"), 6)
			cmd.Body = b
		}
	case trade.Amend:
		if zone == "TTF" && b.Price == nil {
			b.Quantity = inUnit(b.Quantity, trade.MMBtu, trade.Dec("3.412142"), 0)
			cmd.Body = b
		}
	}
	return cmd
}

// inUnit returns MWh in a unit of which so many come to one.
func inUnit(q trade.Quantity, unit trade.Unit, perMWh trade.Decimal, places int32) trade.Quantity {
	if q.Unit != trade.MWh {
		return q
	}
	return trade.Quantity{Value: q.Value.Mul(perMWh).Round(places), Unit: unit}
}
