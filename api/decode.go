package api

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// At is a place inside a request: a path such as `.a.b[0]` in a body, or a parameter name in a query string. The zero
// value is the root of a body.
type At struct {
	path  string
	query bool
}

// Key is the place of a member.
func (a At) Key(key string) At {
	if a.query && a.path == "" {
		return At{path: key, query: true}
	}
	return At{path: a.path + "." + key, query: a.query}
}

// Index is the place of an array element.
func (a At) Index(i int) At {
	return At{path: a.path + "[" + strconv.Itoa(i) + "]", query: a.query}
}

func (a At) desc(article string) string {
	if a.path == "" {
		return ""
	}
	return article + " `" + a.path + "`"
}

// Into reads one value into where it was made for. It reports the first fault.
type Into func(v Value, at At) *Error

// Field declares one member of an object or one query parameter. Fields are declared in Meilisearch's order: it is the
// order in which error texts list them and missing ones are reported.
type Field struct {
	Name string
	Into Into
	// Required makes absence an error, with MissingCode, or the object's code when that is empty.
	Required    bool
	MissingCode string
}

// DecodeObject reads an object: members in the order they were sent, then missing required fields in the order they
// are declared. code is the code of errors of the object itself (`bad_request` for most).
func DecodeObject(v Value, at At, code string, fields []Field) *Error {
	return decodeObject(v, at, code, fields, nil)
}

// DecodeOpenObject is DecodeObject for the few routes that ignore unknown members.
func DecodeOpenObject(v Value, at At, code string, fields []Field) *Error {
	return decodeObject(v, at, code, fields, func(string) *Error { return nil })
}

// DecodeObjectUnknown is DecodeObject with an own rule for unknown members.
func DecodeObjectUnknown(v Value, at At, code string, fields []Field, unknown func(key string) *Error) *Error {
	return decodeObject(v, at, code, fields, unknown)
}

func decodeObject(v Value, at At, code string, fields []Field, unknown func(key string) *Error) *Error {
	if v.Kind != Object {
		return WrongType(code, at, v, Object)
	}
	seen := make([]bool, len(fields))
	for i := range v.Obj {
		m := &v.Obj[i]
		f := slices.IndexFunc(fields, func(f Field) bool { return f.Name == m.Key })
		if f < 0 {
			if err := unknownMember(at, code, m.Key, fields, unknown); err != nil {
				return err
			}
			continue
		}
		seen[f] = true
		if err := fields[f].Into(m.Value, at.Key(m.Key)); err != nil {
			return err
		}
	}
	for i, f := range fields {
		if f.Required && !seen[i] {
			if f.MissingCode != "" {
				return MissingField(f.MissingCode, at, f.Name)
			}
			return MissingField(code, at, f.Name)
		}
	}
	return nil
}

func unknownMember(at At, code, key string, fields []Field, unknown func(key string) *Error) *Error {
	if unknown != nil {
		return unknown(key)
	}
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.Name
	}
	return UnknownField(code, at, key, names)
}

// ObjectInto makes an Into of DecodeObject.
func ObjectInto(code string, fields func() []Field) Into {
	return func(v Value, at At) *Error { return DecodeObject(v, at, code, fields()) }
}

// WrongType is the error of a value whose kind is none of the accepted ones.
func WrongType(code string, at At, v Value, accepted ...Kind) *Error {
	if at.query {
		return Errorf(code, "Invalid value type%s: expected a string, but found %s", at.desc(" for parameter"), v.String())
	}
	return Errorf(code, "Invalid value type%s: expected %s, but found %s", at.desc(" at"), kindsText(accepted), v.withKind())
}

// Invalid is the error of a value of the right kind that is not acceptable for a reason.
func Invalid(code string, at At, reason string) *Error {
	article := " at"
	if at.query {
		article = " in parameter"
	}
	return NewError(code, "Invalid value"+at.desc(article)+": "+reason)
}

// UnknownValue is the error of a text that is none of a list.
func UnknownValue(code string, at At, value string, accepted []string) *Error {
	article := " at"
	if at.query {
		article = " for parameter"
	}
	return Errorf(code, "Unknown value `%s`%s: %sexpected one of %s", value, at.desc(article), didYouMean(value, accepted),
		quoteList(accepted))
}

// UnknownField is the error of a member or parameter that does not exist.
func UnknownField(code string, at At, key string, accepted []string) *Error {
	what := "field"
	if at.query {
		what = "parameter"
	}
	return Errorf(code, "Unknown %s `%s`%s: %sexpected one of %s", what, key, at.desc(" inside"), didYouMean(key, accepted),
		quoteList(accepted))
}

// MissingField is the error of a required member or parameter that was not sent.
func MissingField(code string, at At, name string) *Error {
	what := "field"
	if at.query {
		what = "parameter"
	}
	return Errorf(code, "Missing %s `%s`%s", what, name, at.desc(" inside"))
}

// ImmutableField is the error of sending a member that exists but cannot be changed.
func ImmutableField(code, field string, accepted ...string) *Error {
	return Errorf(code, "Immutable field `%s`: expected one of %s", field, quoteList(accepted))
}

var kindNames = [...]string{"null", "a boolean", "a positive integer", "a negative integer", "a number", "a string",
	"an array", "an object"}

func (v *Value) withKind() string {
	if v.Kind == Null {
		return "null"
	}
	return kindNames[v.Kind] + ": `" + v.String() + "`"
}

// kindsText lists kinds in words; several number kinds are named by their common word.
func kindsText(kinds []Kind) string {
	kinds = slices.Compact(slices.Sorted(slices.Values(kinds)))
	var parts []string
	for len(kinds) > 0 {
		has := func(want ...Kind) bool { return len(kinds) >= len(want) && slices.Equal(kinds[:len(want)], want) }
		switch {
		case has(Integer, NegativeInteger, Float):
			parts, kinds = append(parts, "a number"), kinds[3:]
		case has(Integer, Float), has(NegativeInteger, Float):
			parts, kinds = append(parts, "a number"), kinds[2:]
		case has(Integer, NegativeInteger):
			parts, kinds = append(parts, "an integer"), kinds[2:]
		default:
			parts, kinds = append(parts, kindNames[kinds[0]]), kinds[1:]
		}
	}
	switch n := len(parts); n {
	case 0:
		return "a different value"
	case 1:
		return parts[0]
	case 2:
		return parts[0] + " or " + parts[1]
	default:
		return strings.Join(parts[:n-1], ", ") + ", or " + parts[n-1]
	}
}

func didYouMean(got string, accepted []string) string {
	allowed := 5
	switch n := len(got); {
	case n <= 3:
		return ""
	case n <= 7:
		allowed = 1
	case n <= 12:
		allowed = 2
	case n <= 17:
		allowed = 3
	case n <= 24:
		allowed = 4
	}
	best, found := "", math.MaxInt
	for _, name := range accepted {
		if d := editDistance(got, name, allowed); d <= allowed && d < found {
			best, found = name, d
		}
	}
	if best == "" {
		return ""
	}
	return "did you mean `" + best + "`? "
}

// editDistance is the Damerau-Levenshtein distance (transpositions may have edits between), or limit+1 when the
// lengths alone put it over the limit.
func editDistance(a, b string, limit int) int {
	s, t := []rune(a), []rune(b)
	if len(s)-len(t) > limit || len(t)-len(s) > limit {
		return limit + 1
	}
	w := len(t) + 2
	d := make([]int, (len(s)+2)*w)
	far := len(s) + len(t)
	d[0] = far
	for i := 0; i <= len(s); i++ {
		d[(i+1)*w], d[(i+1)*w+1] = far, i
	}
	for j := 0; j <= len(t); j++ {
		d[j+1], d[w+j+1] = far, j
	}
	last := make(map[rune]int)
	for i := 1; i <= len(s); i++ {
		match := 0
		for j := 1; j <= len(t); j++ {
			k, l, cost := last[t[j-1]], match, 1
			if s[i-1] == t[j-1] {
				cost, match = 0, j
			}
			d[(i+1)*w+j+1] = min(d[i*w+j]+cost, d[(i+1)*w+j]+1, d[i*w+j+1]+1, d[k*w+l]+(i-k-1)+1+(j-l-1))
		}
		last[s[i-1]] = i
	}
	return d[(len(s)+1)*w+len(t)+1]
}

func tooLarge(code string, at At, v Value, limit uint64) *Error {
	return Invalid(code, at, fmt.Sprintf("value: `%d` is too large to be deserialized, maximum value authorized is `%d`",
		v.Uint, limit))
}
