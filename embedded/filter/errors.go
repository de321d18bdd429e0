package filter

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Error is a filter a server would refuse, in the words it would use: the
// complaint, then on a second line the columns and the whole expression.
type Error struct {
	Message string
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

// Errorf makes an error that points at the token.
func (t Token) Errorf(format string, args ...any) *Error {
	return t.span.errorf(format, args...)
}

func (s span) text() string { return s.src[s.from:s.to] }

// errorf adds the columns. They count characters from the last line break
// before the span, beginning with 1.
func (s span) errorf(format string, args ...any) *Error {
	lineStart := strings.LastIndexByte(s.src[:s.from], '\n') + 1
	column := utf8.RuneCountInString(s.src[lineStart:s.from]) + 1
	end := column + utf8.RuneCountInString(s.text())
	return &Error{Message: fmt.Sprintf("%s\n%d:%d %s", fmt.Sprintf(format, args...), column, end, s.src)}
}

// failure is an error inside the parser. A fatal one ends parsing; others only
// say that this alternative does not fit.
type failure struct {
	err   *Error
	fatal bool
	// keyword is set when a reserved word stood where a value should.
	keyword bool
}

func fatal(err *Error) *failure { return &failure{err: err, fatal: true} }

// cut makes a failure final.
func cut(f *failure) *failure {
	if f == nil || f.fatal {
		return f
	}
	return &failure{err: f.err, fatal: true, keyword: f.keyword}
}

const operations = "Was expecting an operation `=`, `!=`, `>=`, `>`, `<=`, `<`, `IN`, `NOT IN`, `TO`, `EXISTS`, `NOT EXISTS`, `IS NULL`, `IS NOT NULL`, `IS EMPTY`, `IS NOT EMPTY`, `CONTAINS`, `NOT CONTAINS`, `STARTS WITH`, `NOT STARTS WITH`, `_geoRadius`, `_geoBoundingBox` or `_geoPolygon` "

func (s span) invalidPrimary() *Error {
	if strings.TrimSpace(s.text()) == "" {
		return s.errorf("%sbut instead got nothing.", operations)
	}
	return s.errorf("%sat `%s`.", operations, escapeDebug(s.text()))
}

func (s span) expectedValue(keyword bool) *Error {
	text := escapeDebug(s.text())
	switch {
	case strings.TrimSpace(s.text()) == "":
		return s.errorf("Was expecting a value but instead got nothing.")
	case keyword:
		return s.errorf("Was expecting a value but instead got `%s`, which is a reserved keyword. To use `%s` as a field name or a value, surround it by quotes.", text, text)
	default:
		return s.errorf("Was expecting a value but instead got `%s`.", text)
	}
}

func (s span) missingDelimiter(c byte) *Error {
	return s.errorf("Expression `%s` is missing the following closing delimiter: `%c`.", escapeDebug(s.text()), c)
}

func (s span) reservedGeo(name string) *Error {
	return s.errorf("`%s` is a reserved keyword and thus can't be used as a filter expression. Use the `_geoRadius(latitude, longitude, distance)` or `_geoBoundingBox([latitude, longitude], [latitude, longitude])` built-in rules to filter on `_geo` coordinates.", name)
}

func (s span) tooDeep() *Error {
	return s.errorf("The filter exceeded the maximum depth limit. Try rewriting the filter so that it contains fewer nested conditions.")
}

// escapeDebug escapes text the way the real messages do.
func escapeDebug(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch r {
		case '\t':
			b.WriteString(`\t`)
		case '\r':
			b.WriteString(`\r`)
		case '\n':
			b.WriteString(`\n`)
		case '\'', '"', '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case 0:
			b.WriteString(`\0`)
		default:
			if r == utf8.RuneError || unicode.IsPrint(r) || unicode.Is(unicode.Mn, r) {
				b.WriteRune(r)
			} else {
				b.WriteString(`\u{` + strconv.FormatInt(int64(r), 16) + `}`)
			}
		}
	}
	return b.String()
}

// Float reads the token as a finite number the way the filter language does.
func (t Token) Float() (float64, error) {
	f, err := ParseFloat(t.Value)
	if err != nil {
		return 0, t.Errorf("%s", err.Error())
	}
	return f, nil
}

type floatError string

func (e floatError) Error() string { return string(e) }

// ParseFloat reads a finite decimal number; there are no hexadecimal numbers
// and no digit separators.
func ParseFloat(s string) (float64, error) {
	if s == "" {
		return 0, floatError("cannot parse float from empty string")
	}
	if strings.ContainsAny(s, "xX_pP") {
		return 0, floatError("invalid float literal")
	}
	f, err := strconv.ParseFloat(s, 64)
	if f > maxFloat || f < -maxFloat || f != f {
		return 0, floatError("Non finite floats are not supported")
	}
	if err != nil {
		return 0, floatError("invalid float literal")
	}
	return f, nil
}

const maxFloat = 1.79769313486231570814527423731704356798070e+308
