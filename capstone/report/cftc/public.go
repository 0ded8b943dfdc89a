package cftc

import (
	"io"
	"slices"

	"example.com/blotter/capstone/report"
)

// P43 is the report for public dissemination (17 CFR part 43): the data elements that the
// specification marks with "P43 Reported: Y". The repository adds the elements D1 to D3, the
// dissemination identifiers and the time, and leaves out the elements that name the parties
// (appendix A of the specification is for repositories only).
var P43 = report.RuleSet{
	Name: "cftc-p43-v3.2", Regime: "CFTC-P43",
	Source: "CFTC Technical Specification, Parts 43 and 45, version 3.2 (1 March 2023), part 43",
	From:   V32.From, Fields: publicFields, File: "csv",
	Write: func(w io.Writer, _ report.Header) report.Writer {
		return report.CSV(w, publicFields)
	},
	Messages: Messages, CatchUp: publicCatchUp, Crosses: true,
	Scope: publicScope, Deadline: publicDeadline,
	ScopeSource: "17 CFR part 43, section 43.2(a), publicly reportable swap transaction " +
		"(unverified); Tech. Spec. v3.2, appendix F, table 7",
	DeadlineSource: "17 CFR part 43, section 43.3(a): as soon as technologically practicable; " +
		"the end of the day of the event is a bound of this project (unverified)",
}

// publicScope is that of part 45, without the messages that are not disseminated. That a swap
// between affiliates is not publicly reportable is not known from the record.
func publicScope(in report.Input) report.Value {
	if !Disseminated(in.Message) {
		return report.Text("the message is for part 45 only (appendix F, table 7)")
	}
	return scope(in)
}

func publicDeadline(report.Input) report.Deadline { return report.Deadline{Calendar: "US"} }

// hidden are the numbers of the elements that are reported, and not disseminated.
var hidden = []string{"13", "14", "15", "22", "97", "103"}

// unreported are the numbers of the elements of part 45 that are not reported under part 43
// ("P43 Reported: N").
var unreported = []string{"16", "17", "18", "19", "23", "24", "29", "81", "88", "91", "101", "104",
	"109", "110", "111", "112", "113", "116", "124"}

var publicFields = public()

func public() (all []report.Field) {
	for _, f := range fields {
		if slices.Contains(unreported, f.Number) {
			continue
		}
		if f.Source += "; P43 reported"; slices.Contains(hidden, f.Number) {
			f.Source += ", not disseminated"
		}
		all = append(all, f)
	}
	return all
}
