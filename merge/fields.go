package merge

import (
	"slices"
	"strings"

	"github.com/miroir-search/miroir/rawjson"
)

// FieldsSpec says which fields of an index the client wants to see. The legs must have been asked for all.
type FieldsSpec struct {
	// Offset and Limit select the fields and are echoed.
	Offset, Limit int
	// Patterns chooses names, a star standing for anything at an end of a pattern; nil chooses all.
	Patterns []string
	// Enabled chooses fields by what they are enabled for, such as `displayed`.
	Enabled []FieldFlag
	// Displayed is the client's setting where nodes were made to display more; nil where they were not.
	Displayed []string
}

// FieldFlag is one condition on a field: that it is, or is not, enabled for something.
type FieldFlag struct {
	Name string
	Want bool
}

// Fields appends the answer one node would give to `POST /indexes/{uid}/fields`: every field that any leg knows, by
// name. The error is a *LegError when a leg is not such an answer.
func Fields(dst []byte, spec *FieldsSpec, legs [][]byte) ([]byte, error) {
	rows := map[string][]byte{}
	for i, body := range legs {
		results, _ := rawjson.Get(body, "results")
		err := eachElement(results, func(row []byte) error {
			quoted, ok := rawjson.Get(row, "name")
			if !ok || quoted[0] != '"' || quoted[len(quoted)-1] != '"' {
				return errNotHit
			}
			field, err := rawjson.Unquote(quoted[1 : len(quoted)-1])
			if err == nil && !strings.HasPrefix(field, ReservedPrefix) {
				rows[field] = row
			}
			return err
		})
		if err != nil {
			return dst, &LegError{Leg: i, Err: err}
		}
	}
	names := make([]string, 0, len(rows))
	for field, row := range rows {
		if spec.Displayed != nil && !slices.ContainsFunc(spec.Displayed, func(d string) bool { return within(field, d) }) {
			row = rawjson.Set(nil, row, "displayed", []byte(`{"enabled":false}`))
			rows[field] = row
		}
		if spec.chooses(field, row) {
			names = append(names, field)
		}
	}
	slices.Sort(names)
	out := append(dst, `{"results":[`...)
	from := min(max(spec.Offset, 0), len(names))
	for i, field := range names[from:min(SaturatingAdd(from, max(spec.Limit, 0)), len(names))] {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, rows[field]...)
	}
	out = appendInt(append(out, ']'), `,"offset":`, int64(spec.Offset))
	out = appendInt(out, `,"limit":`, int64(spec.Limit))
	out = appendInt(out, `,"total":`, int64(len(names)))
	return append(out, '}'), nil
}

// within reports whether a field is the parent or nested in it.
func within(field, parent string) bool {
	return parent == "*" || field == parent || strings.HasPrefix(field, parent) && field[len(parent)] == '.'
}

func (s *FieldsSpec) chooses(field string, row []byte) bool {
	if s.Patterns != nil && !slices.ContainsFunc(s.Patterns, func(p string) bool { return matchesPattern(p, field) }) {
		return false
	}
	for _, f := range s.Enabled {
		of, _ := rawjson.Get(row, f.Name)
		is, _ := rawjson.Get(of, "enabled")
		if (string(is) == "true") != f.Want {
			return false
		}
	}
	return true
}

// matchesPattern reports whether a pattern of attributes names a field itself.
func matchesPattern(pattern, field string) bool {
	core, leading := strings.CutPrefix(pattern, "*")
	if pattern == "*" {
		return true
	}
	core, trailing := strings.CutSuffix(core, "*")
	switch {
	case leading && trailing:
		return strings.Contains(field, core)
	case leading:
		return strings.HasSuffix(field, core)
	case trailing:
		return strings.HasPrefix(field, core)
	}
	return field == pattern
}
