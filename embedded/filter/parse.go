package filter

import (
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxDepth bounds nesting: parentheses cost four, a NOT one.
const maxDepth = 150

// Parse reads a filter as it stands in a decoded JSON request: a string, or an
// array whose elements all have to hold, where an element that is itself an
// array holds when any of its strings does. It returns nil for a filter that
// filters nothing. The error is an *Error.
func Parse(v any) (*Expr, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case string:
		return ParseString(v)
	case []string:
		all := make([]any, len(v))
		for i, s := range v {
			all[i] = s
		}
		return parseArray(all)
	case []any:
		return parseArray(v)
	default:
		return nil, wrongType("String, Array", v)
	}
}

func parseArray(all []any) (*Expr, error) {
	// A wrong type anywhere is reported before any syntax error.
	for _, v := range all {
		switch v := v.(type) {
		case string:
		case []any:
			for _, w := range v {
				if _, ok := w.(string); !ok {
					return nil, wrongType("String", w)
				}
			}
		default:
			return nil, wrongType("String, [String]", v)
		}
	}
	var ands []*Expr
	for _, v := range all {
		var e *Expr
		var err error
		if s, ok := v.(string); ok {
			e, err = ParseString(s)
		} else {
			e, err = parseAny(v.([]any))
		}
		if err != nil {
			return nil, err
		}
		if e != nil {
			ands = append(ands, e)
		}
	}
	return join(And, ands), nil
}

func parseAny(list []any) (*Expr, error) {
	var ors []*Expr
	for _, v := range list {
		e, err := ParseString(v.(string)) // checked by parseArray
		if err != nil {
			return nil, err
		}
		if e != nil {
			ors = append(ors, e)
		}
	}
	return join(Or, ors), nil
}

func join(kind Kind, kids []*Expr) *Expr {
	switch len(kids) {
	case 0:
		return nil
	case 1:
		return kids[0]
	default:
		return &Expr{Kind: kind, Kids: kids}
	}
}

func wrongType(want string, v any) *Error {
	found, err := json.Marshal(v)
	if err != nil {
		found = []byte("?")
	}
	return &Error{Message: "Invalid syntax for the filter parameter: `expected " + want + ", found: " + string(found) + "`."}
}

// ParseString reads one expression; nil when it is blank.
func ParseString(s string) (*Expr, error) {
	if strings.TrimSpace(s) == "" {
		return nil, nil
	}
	p := &parser{src: strings.ToValidUTF8(s, "\uFFFD")}
	e, f := p.or(0)
	if f != nil {
		return nil, f.err
	}
	if p.pos < len(p.src) {
		rest := p.rest()
		return nil, rest.errorf("Found unexpected characters at the end of the filter: `%s`. You probably forgot an `OR` or an `AND` rule.", escapeDebug(rest.text()))
	}
	return e, nil
}

// parser reads src from pos on. A method that returns a failure that is not
// fatal leaves pos anywhere; the caller that tries something else resets it.
type parser struct {
	src string
	pos int
}

func (p *parser) rest() span { return span{p.src, p.pos, len(p.src)} }

func (p *parser) at(from, to int) span { return span{p.src, from, to} }

// space skips what the grammar calls white space between tokens.
func (p *parser) space() {
	for p.pos < len(p.src) && strings.IndexByte(" \t\r\n", p.src[p.pos]) >= 0 {
		p.pos++
	}
}

// space1 is space but wants at least one.
func (p *parser) space1() bool {
	start := p.pos
	p.space()
	return p.pos > start
}

func (p *parser) tag(s string) bool {
	if strings.HasPrefix(p.src[p.pos:], s) {
		p.pos += len(s)
		return true
	}
	return false
}

// word reads the longest run of value characters.
func (p *parser) word() string {
	start := p.pos
	for p.pos < len(p.src) {
		r, n := utf8.DecodeRuneInString(p.src[p.pos:])
		if !isValueRune(r) {
			break
		}
		p.pos += n
	}
	return p.src[start:p.pos]
}

// keyword reads s as a whole word with optional space around it.
func (p *parser) keyword(s string) bool {
	start := p.pos
	p.space()
	if p.word() == s {
		p.space()
		return true
	}
	p.pos = start
	return false
}

func (p *parser) or(depth int) (*Expr, *failure) {
	return p.list(Or, "OR", depth, p.and)
}

func (p *parser) and(depth int) (*Expr, *failure) {
	return p.list(And, "AND", depth, p.not)
}

func (p *parser) list(kind Kind, word string, depth int, next func(int) (*Expr, *failure)) (*Expr, *failure) {
	if depth > maxDepth {
		return nil, fatal(p.rest().tooDeep())
	}
	first, f := next(depth + 1)
	if f != nil {
		return nil, f
	}
	kids := []*Expr{first}
	for p.keyword(word) {
		k, f := next(depth + 1)
		if f != nil {
			return nil, cut(f)
		}
		kids = append(kids, k)
	}
	return join(kind, kids), nil
}

func (p *parser) not(depth int) (*Expr, *failure) {
	if depth > maxDepth {
		return nil, fatal(p.rest().tooDeep())
	}
	if !p.keyword("NOT") {
		return p.primary(depth + 1)
	}
	e, f := p.not(depth + 1)
	if f != nil {
		return nil, cut(f)
	}
	return negate(e), nil
}

func negate(e *Expr) *Expr {
	if e.Kind == Not {
		return e.Kids[0]
	}
	return &Expr{Kind: Not, Kids: []*Expr{e}}
}

func (p *parser) primary(depth int) (*Expr, *failure) {
	if depth > maxDepth {
		return nil, fatal(p.rest().tooDeep())
	}
	start := p.pos
	p.space()
	if p.tag("(") {
		p.space()
		e, f := p.or(depth + 1)
		if f != nil {
			return nil, cut(f)
		}
		p.space()
		if !p.tag(")") {
			return nil, fatal(p.at(start, len(p.src)).missingDelimiter(')'))
		}
		p.space()
		return e, nil
	}
	p.pos = start
	for _, alternative := range []func() (*Expr, *failure){
		p.geo, p.condition, p.vectors, p.conditionTail,
		func() (*Expr, *failure) { return p.foreign(depth) },
	} {
		e, f := alternative()
		if f == nil {
			return e, nil
		}
		if f.fatal {
			return nil, f
		}
		if f.keyword {
			return nil, cut(f)
		}
		p.pos = start
	}
	return nil, &failure{err: p.rest().invalidPrimary()}
}

var noMatch = &failure{}

// condition reads what begins with a field name, up to IS NOT EMPTY in the
// order of the grammar's alternatives.
func (p *parser) condition() (*Expr, *failure) {
	field, f := p.value()
	if f != nil {
		return nil, f
	}
	after := p.pos
	if p.keyword("IN") {
		return p.in(field)
	}
	if p.word() == "NOT" && p.keyword("IN") {
		e, f := p.in(field)
		if f != nil {
			return nil, f
		}
		return negate(e), nil
	}
	p.pos = after
	for _, o := range [...]struct {
		text string
		op   Op
	}{{"<=", LowerOrEqual}, {">=", GreaterOrEqual}, {"!=", NotEqual}, {"<", Lower}, {">", Greater}, {"=", Equal}} {
		if p.tag(o.text) {
			v, f := p.value()
			if f != nil {
				return nil, cut(f)
			}
			return &Expr{Kind: Compare, Field: field, Op: o.op, Values: []Token{v}}, nil
		}
	}
	if p.tag("IS") && p.space1() {
		not := false
		if p.tag("NOT") {
			not = p.space1()
			if !not {
				return nil, noMatch
			}
		}
		switch {
		case p.tag("NULL"):
			return maybeNot(not, &Expr{Kind: Compare, Field: field, Op: Null}), nil
		case p.tag("EMPTY"):
			return maybeNot(not, &Expr{Kind: Compare, Field: field, Op: Empty}), nil
		}
	}
	return nil, noMatch
}

func maybeNot(not bool, e *Expr) *Expr {
	if not {
		return negate(e)
	}
	return e
}

// conditionTail reads the remaining forms that begin with a field name.
func (p *parser) conditionTail() (*Expr, *failure) {
	field, f := p.value()
	if f != nil {
		return nil, f
	}
	after := p.pos
	if p.tag("EXISTS") {
		return &Expr{Kind: Compare, Field: field, Op: Exists}, nil
	}
	if p.tag("NOT") && p.space1() && p.tag("EXISTS") {
		return negate(&Expr{Kind: Compare, Field: field, Op: Exists}), nil
	}
	p.pos = after
	from, f := p.value()
	if f != nil && f.fatal {
		return nil, f
	}
	if f == nil && p.tag("TO") && p.space1() {
		to, f := p.value()
		if f != nil {
			return nil, cut(f)
		}
		return &Expr{Kind: Compare, Field: field, Op: Between, Values: []Token{from, to}}, nil
	}
	p.pos = after
	not := p.tag("NOT") && p.space1()
	if !not {
		p.pos = after
	}
	for _, op := range [...]Op{Contains, StartsWith} {
		start, text := p.pos, op.String()
		if !p.tag(text) {
			continue
		}
		keyword := Token{Value: text, span: p.at(start, p.pos)}
		v, f := p.value()
		if f != nil {
			return nil, cut(f)
		}
		return maybeNot(not, &Expr{Kind: Compare, Field: field, Op: op, Values: []Token{v}, Keyword: keyword}), nil
	}
	return nil, noMatch
}

// in reads the list of an IN.
func (p *parser) in(field Token) (*Expr, *failure) {
	if !p.tag("[") {
		return nil, fatal(p.rest().errorf("Expected `[` after `IN` keyword."))
	}
	e := &Expr{Kind: In, Field: field}
	end := p.pos
	for {
		v, f := p.value()
		if f != nil && f.fatal {
			return nil, f
		}
		if f != nil {
			p.pos = end
			break
		}
		e.Values = append(e.Values, v)
		end = p.pos
		p.space()
		if !p.tag(",") {
			p.pos = end
			break
		}
		p.space()
		end = p.pos
	}
	rest := p.rest()
	p.space()
	if p.tag("]") {
		p.space()
		return e, nil
	}
	if rest.text() == "" {
		return nil, fatal(rest.errorf("Expected matching `]` after the list of field names given to `IN[`"))
	}
	return nil, fatal(rest.errorf("Expected only comma-separated field names inside `IN[..]` but instead found `%s`.", escapeDebug(rest.text())))
}

func isValueRune(r rune) bool {
	return r == '_' || r == '-' || r == '.' ||
		(r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.Is(unicode.Other_Alphabetic, r)))
}

func isSyntaxRune(r rune) bool {
	return unicode.IsSpace(r) || strings.ContainsRune("()=<>!", r)
}

func isKeyword(s string) bool {
	switch s {
	case "AND", "OR", "IN", "NOT", "TO", "EXISTS", "IS", "NULL", "EMPTY", "CONTAINS", "STARTS", "WITH",
		"_geoRadius", "_geoBoundingBox":
		return true
	}
	return false
}
