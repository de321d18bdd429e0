package engine

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// sortTerm is one entry of a sort parameter.
type sortTerm struct {
	field string
	geo   *Point // instead of field
	asc   bool
}

// parseSort reads a sort parameter; code is that of its errors.
func parseSort(list []string, code string) ([]sortTerm, error) {
	out := make([]sortTerm, 0, len(list))
	for _, s := range list {
		bad := func(format string, args ...any) error {
			return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
		}
		name, asc, ok := customRule(s)
		if !ok {
			return nil, bad("Invalid syntax for the sort parameter: expected expression ending by `:asc` or `:desc`, found `%s`.", s)
		}
		t := sortTerm{field: name, asc: asc}
		inner, geo := strings.CutPrefix(name, "_geoPoint(")
		inner, closed := strings.CutSuffix(inner, ")")
		switch {
		case geo && closed:
			lat, lng, ok := parsePoint(inner)
			if !ok {
				return nil, bad("Invalid syntax for the geo parameter: expected expression formated like `_geoPoint(latitude, longitude)` and ending by `:asc` or `:desc`, found `%s`.", name)
			}
			if lat < -90 || lat > 90 {
				return nil, bad("%s", badLatitude(lat))
			}
			if lng < -180 || lng > 180 {
				return nil, bad("%s", badLongitude(lng))
			}
			t.geo = &Point{lat, lng}
		case strings.HasPrefix(name, "_geoPoint"):
			return nil, bad("Invalid syntax for the geo parameter: expected expression formated like `_geoPoint(latitude, longitude)` and ending by `:asc` or `:desc`, found `%s`.", name)
		case name == "_geo":
			return nil, bad("`_geo` is a reserved keyword and thus can't be used as a sort expression. Use the _geoPoint(latitude, longitude) built-in rule to sort on _geo field coordinates.")
		case strings.HasPrefix(name, "_geoRadius"), strings.HasPrefix(name, "_geoBoundingBox"):
			reserved, _, _ := strings.Cut(name, "(")
			return nil, bad("`%s` is a reserved keyword and thus can't be used as a sort expression. Use the _geoPoint(latitude, longitude) built-in rule to sort on _geo field coordinates.", reserved)
		case name == "_geoDistance", strings.HasPrefix(name, "_geoDistance("), strings.HasPrefix(name, "_geo("):
			return nil, bad("`%s` is a reserved keyword and thus can't be used as a sort expression.", name)
		}
		out = append(out, t)
	}
	return out, nil
}

func parsePoint(s string) (lat, lng float64, ok bool) {
	a, b, found := strings.Cut(s, ",")
	lat, errA := strconv.ParseFloat(strings.TrimSpace(a), 64)
	lng, errB := strconv.ParseFloat(strings.TrimSpace(b), 64)
	// Go's literals may be hexadecimal and have separators, and these may not.
	return lat, lng, found && errA == nil && errB == nil && !strings.ContainsAny(s, "xX_pP")
}

func badLatitude(lat float64) string {
	return fmt.Sprintf("Bad latitude `%s`. Latitude must be contained between -90 and 90 degrees.", formatNumber(lat))
}

func badLongitude(lng float64) string {
	n := math.Mod(lng+180, 360)
	if n < 0 {
		n += 360
	}
	return fmt.Sprintf("Bad longitude `%s`. Longitude must be contained between -180 and 180 degrees. Hint: try using `%s` instead.", formatNumber(lng), formatNumber(n-180))
}

// checkSort refuses fields the settings do not allow to sort by.
func (c *core) checkSort(terms []sortTerm, document bool) error {
	if len(terms) > 0 && !document {
		missing := true
		for _, r := range c.cfg.RankingRules {
			missing = missing && r != "sort"
		}
		if missing {
			return &Error{Code: "invalid_search_sort", OfIndex: true, Message: "You must specify where `sort` is listed in the rankingRules setting to use the sort parameter at search time."}
		}
	}
	for _, t := range terms {
		name := t.field
		if t.geo != nil {
			name = "_geo"
		}
		if c.cfg.Sortable(name) {
			continue
		}
		code, valid, hidden := "invalid_search_sort", sortedKeys(stringSet(c.cfg.SortableAttributes)), false
		if document {
			code = "invalid_document_sort"
		} else {
			valid, hidden = c.withoutHidden(valid)
		}
		message := fmt.Sprintf("Attribute `%s` is not sortable. This index does not have configured sortable attributes.", name)
		if len(valid) > 0 {
			message = fmt.Sprintf("Attribute `%s` is not sortable. Available sortable attributes are: `%s%s`.", name, strings.Join(valid, ", "), hiddenNote(hidden))
		}
		return &Error{Code: code, OfIndex: true, Message: message}
	}
	return nil
}

func hiddenNote(hidden bool) string {
	if hidden {
		return ", <..hidden-attributes>"
	}
	return ""
}

// withoutHidden drops the names that are not displayed and tells whether there
// were any.
func (c *core) withoutHidden(names []string) ([]string, bool) {
	if c.cfg.displaysAll() {
		return names, false
	}
	out := make([]string, 0, len(names))
	for _, n := range names {
		for _, d := range c.cfg.DisplayedAttributes {
			if n == d {
				out = append(out, n)
				break
			}
		}
	}
	return out, len(out) < len(names)
}
