package contract

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// CheckMembers fails if text is not one JSON value, or if an object anywhere in it has two members
// of one name. encoding/json takes the last of them, and other readers take the first (RFC 8259,
// section 4). Names that differ only in case count as one: encoding/json fills in one field with
// both.
func CheckMembers(text []byte) error {
	var valid json.RawMessage // its error names the place, and bounds the depth
	if err := json.Unmarshal(text, &valid); err != nil {
		return err
	}
	return checkMembers(json.NewDecoder(bytes.NewReader(text)))
}

// checkMembers reads one value. The text is valid, so no token has an error.
func checkMembers(d *json.Decoder) error {
	open, _ := d.Token()
	delim, composite := open.(json.Delim)
	if !composite {
		return nil
	}
	seen := map[string]bool{}
	for d.More() {
		if delim == '{' {
			token, _ := d.Token()
			name := token.(string)
			folded := strings.ToLower(strings.ToUpper(name)) // also ſ and the Kelvin sign
			if seen[folded] {
				return fmt.Errorf("the member %q is given twice", name)
			}
			seen[folded] = true
		}
		if err := checkMembers(d); err != nil {
			return err
		}
	}
	_, _ = d.Token() // the closing bracket
	return nil
}
