package report_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone/report"
)

// The published codes pass, and each of them fails with any other check character.
func TestCheckDigits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		check func(string) error
		code  string
	}{
		// LEIs of GE Financing, Jaguar Land Rover and the BBC (Wikipedia, "Legal Entity
		// Identifier"), and of GLEIF itself (gleif.org).
		{report.CheckLEI, "54930084UKLVMY22DS16"},
		{report.CheckLEI, "213800WSGIIZCXF1P572"},
		{report.CheckLEI, "5493000IBP32UQZ0KL24"},
		{report.CheckLEI, "506700GE1G29325QX363"},
		{report.CheckISIN, "US0378331005"},    // Apple
		{report.CheckISIN, "AU0000XVGZA3"},    // Treasury Corporation of Victoria
		{report.CheckISIN, "GB0002634946"},    // BAE Systems
		{report.CheckEIC, "10YNL----------L"}, // the Netherlands (ENTSO-E, list of area codes)
		{report.CheckEIC, "10YFR-RTE------C"}, // France
		{report.CheckEIC, "10Y1001A1001A83F"}, // Germany
	} {
		require.NoError(t, c.check(c.code))
		last := len(c.code) - 1
		for _, other := range "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ" {
			if wrong := c.code[:last] + string(other); wrong != c.code {
				require.Error(t, c.check(wrong), wrong)
			}
		}
	}
}

// The samples of two codes in the TRUM do not pass their own check.
func TestSampleCodesFail(t *testing.T) {
	t.Parallel()
	require.ErrorContains(t, report.CheckEIC("10YCB-EUROPEU--8"), "should be Q")
	require.ErrorContains(t, report.CheckEIC("21X000EUROPEU--8"), "should be R")
}

func TestUTI(t *testing.T) {
	t.Parallel()
	const lei = "506700GE1G29325QX363"
	require.NoError(t, report.CheckUTI(lei+"TRADE1"))
	require.NoError(t, report.CheckUTI(lei+"12345678901234567890123456789012"))
	for _, bad := range []string{lei, lei + "123456789012345678901234567890123", lei + "a",
		lei + "-", "506700GE1G29325QX364TRADE1", "TRADE-1"} {
		require.Error(t, report.CheckUTI(bad), bad)
	}
}
