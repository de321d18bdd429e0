package filter

import (
	"strings"
	"unicode/utf8"
)

// float reads a decimal number with the space around it.
func (p *parser) float() (Token, bool) {
	p.space()
	start := p.pos
	if p.pos < len(p.src) && (p.src[p.pos] == '+' || p.src[p.pos] == '-') {
		p.pos++
	}
	whole := p.digits()
	fraction := 0
	if p.tag(".") {
		fraction = p.digits()
	}
	if whole+fraction == 0 {
		return Token{}, false
	}
	mantissa := p.pos
	if p.tag("e") || p.tag("E") {
		if !p.tag("+") {
			p.tag("-")
		}
		if p.digits() == 0 {
			p.pos = mantissa
		}
	}
	t := Token{Value: p.src[start:p.pos], span: p.at(start, p.pos)}
	p.space()
	return t, true
}

func (p *parser) digits() int {
	start := p.pos
	for p.pos < len(p.src) && p.src[p.pos] >= '0' && p.src[p.pos] <= '9' {
		p.pos++
	}
	return p.pos - start
}

// floats reads numbers between open and close. Where it stops is where the
// error message points.
func (p *parser) floats(open, closing string) ([]Token, bool) {
	if !p.tag(open) {
		return nil, false
	}
	var out []Token
	for {
		start := p.pos
		t, ok := p.float()
		if !ok {
			p.pos = start
			if len(out) > 0 {
				p.pos-- // the separator is given back with what follows it
			} else {
				p.space()
			}
			return nil, false
		}
		out = append(out, t)
		if p.tag(",") {
			continue
		}
		return out, p.tag(closing)
	}
}

func (p *parser) geo() (*Expr, *failure) {
	p.space()
	switch p.word() {
	case "_geoRadius":
		args, ok := p.floats("(", ")")
		if !ok {
			return nil, fatal(p.rest().errorf("The `_geoRadius` filter must be in the form: `_geoRadius(latitude, longitude, radius, optionalResolution)`."))
		}
		if len(args) != 3 && len(args) != 4 {
			return nil, fatal(p.rest().errorf("Was expecting 3 or 4 arguments for `_geoRadius`, but instead found %d.", len(args)))
		}
		return &Expr{Kind: GeoRadius, Values: args}, nil
	case "_geoBoundingBox":
		return p.geoBox()
	case "_geoPolygon":
		return p.geoPolygon()
	}
	return nil, noMatch
}

// points reads "([a, b], [c, d])" and reports how many numbers each pair had.
func (p *parser) points(trailingComma bool) ([][]Token, bool) {
	if !p.tag("(") {
		return nil, false
	}
	var out [][]Token
	for {
		before := p.pos
		p.space()
		pair, ok := p.floats("[", "]")
		if !ok {
			if len(out) == 0 {
				return nil, false
			}
			// What comes behind a comma and is no pair ends the list there.
			if trailingComma && strings.HasPrefix(strings.TrimLeft(p.src[before:], " \t\r\n"), ")") {
				p.pos = before
				p.space()
				p.pos++
				return out, true
			}
			return nil, false
		}
		out = append(out, pair)
		p.space()
		if p.tag(",") {
			continue
		}
		return out, p.tag(")")
	}
}

func badPair(points [][]Token) *failure {
	for _, pair := range points {
		if len(pair) != 2 {
			return fatal(pair[0].Errorf("Was expecting 2 coordinates but instead found %d.", len(pair)))
		}
	}
	return nil
}

func (p *parser) geoBox() (*Expr, *failure) {
	points, ok := p.points(false)
	if !ok || len(points) != 2 {
		return nil, fatal(p.rest().errorf("The `_geoBoundingBox` filter expects two pairs of arguments: `_geoBoundingBox([latitude, longitude], [latitude, longitude])`."))
	}
	if f := badPair(points); f != nil {
		return nil, f
	}
	return &Expr{Kind: GeoBox, Values: append(points[0], points[1]...)}, nil
}

func (p *parser) geoPolygon() (*Expr, *failure) {
	points, ok := p.points(true)
	if !ok {
		return nil, fatal(p.rest().errorf("The `_geoPolygon` filter doesn't match the expected format: `_geoPolygon([latitude, longitude], [latitude, longitude])`."))
	}
	if len(points) < 3 {
		last := points[len(points)-1]
		return nil, fatal(last[len(last)-1].Errorf("The `_geoPolygon` filter expects at least 3 points but only %d were specified", len(points)))
	}
	if f := badPair(points); f != nil {
		return nil, f
	}
	e := &Expr{Kind: GeoPolygon}
	for _, pair := range points {
		e.Values = append(e.Values, pair...)
	}
	return e, nil
}

// foreign reads _foreign(field, expression).
func (p *parser) foreign(depth int) (*Expr, *failure) {
	p.space()
	if p.word() != "_foreign" {
		return nil, noMatch
	}
	bad := func() *failure {
		rest := p.rest()
		return fatal(rest.errorf("Was expecting a field name and an condition inside `_foreign(..)` filter but instead found `%s`.", escapeDebug(rest.text())))
	}
	if !p.tag("(") {
		return nil, bad()
	}
	field, f := p.value()
	if f != nil || !p.tag(",") {
		return nil, bad()
	}
	p.space()
	kid, f := p.or(depth)
	if f != nil {
		return nil, bad()
	}
	p.space()
	if !p.tag(")") {
		return nil, bad()
	}
	return &Expr{Kind: Foreign, Field: field, Kids: []*Expr{kid}}, nil
}

var vectorSuffixes = []string{"fragments", "userProvided", "documentTemplate", "regenerate"}

// vectors reads _vectors[.embedder[.suffix]] [NOT] EXISTS.
func (p *parser) vectors() (*Expr, *failure) {
	p.space()
	start := p.pos
	if !p.tag("_vectors") {
		return nil, noMatch
	}
	e := &Expr{Kind: VectorExists, Field: Token{Value: "_vectors", span: p.at(start, p.pos)}}
	if !p.space1() {
		if !p.tag(".") {
			return nil, noMatch
		}
		if f := p.vectorPath(e); f != nil {
			return nil, f
		}
	}
	if p.tag("EXISTS") {
		return e, nil
	}
	after := p.pos
	if p.tag("NOT") && p.space1() && p.tag("EXISTS") {
		return negate(e), nil
	}
	p.pos = after
	return nil, fatal(p.rest().errorf("Was expecting an operation like `EXISTS` or `NOT EXISTS` after the vector filter."))
}

func (p *parser) vectorPath(e *Expr) *failure {
	if strings.HasPrefix(p.src[p.pos:], " ") {
		return fatal(p.at(p.pos, p.pos+1).errorf("Was expecting embedder name but found nothing."))
	}
	name, f := p.vectorName("The vector filter's embedder name is invalid.")
	if f != nil {
		return f
	}
	e.Values = append(e.Values, name)
	for _, s := range vectorSuffixes {
		if p.tag("." + s) {
			e.Suffix = s
			break
		}
	}
	if e.Suffix == "fragments" {
		if !p.tag(".") {
			return fatal(p.rest().errorf("The vector filter is missing a fragment name."))
		}
		fragment, f := p.vectorName("The vector filter's fragment name is invalid.")
		if f != nil {
			return f
		}
		e.Values = append(e.Values, fragment)
	}
	if strings.HasPrefix(p.src[p.pos:], ".") {
		return p.vectorLeftover(e.Suffix)
	}
	if !p.space1() {
		return fatal(p.rest().errorf("The vector filter has leftover tokens."))
	}
	return nil
}

// vectorLeftover words the refusal of one more part behind a complete path.
func (p *parser) vectorLeftover(previous string) *failure {
	point := p.at(p.pos, p.pos+1)
	p.pos++
	quotedPart := p.pos < len(p.src) && (p.src[p.pos] == '"' || p.src[p.pos] == '\'')
	t, f := p.vectorName("")
	if f != nil {
		return fatal(point.errorf("Was expecting one of `.fragments`, `.userProvided`, `.documentTemplate`, `.regenerate` or nothing, but instead found a point without a valid value."))
	}
	if previous != "" {
		return fatal(t.Errorf("Vector filter can only accept one of `fragments`, `userProvided`, `documentTemplate` or `regenerate`, but found both `%s` and `%s`.", previous, t.Value))
	}
	for _, s := range vectorSuffixes {
		if quotedPart && s == t.Value {
			return fatal(t.Errorf("Was expecting this part to be unquoted."))
		}
	}
	for _, s := range vectorSuffixes {
		if editDistance(s, t.Value) <= 2 {
			return fatal(t.Errorf("Was expecting one of `fragments`, `userProvided`, `documentTemplate`, `regenerate` or nothing, but instead found `%s`. Did you mean `%s`?", t.Value, s))
		}
	}
	return fatal(t.Errorf("Was expecting one of `fragments`, `userProvided`, `documentTemplate`, `regenerate` or nothing, but instead found `%s`.", t.Value))
}

// vectorName reads one part of a _vectors path: quoted, or a word without dots.
func (p *parser) vectorName(complaint string) (Token, *failure) {
	start := p.pos
	if start < len(p.src) && (p.src[start] == '\'' || p.src[start] == '"') {
		t, f := p.quoted(p.src[start])
		if f == nil {
			return p.unescape(t)
		}
		p.pos = start
		return Token{}, fatal(p.rest().errorf("The quotes in one of the values are inconsistent."))
	}
	for p.pos < len(p.src) {
		r, n := utf8.DecodeRuneInString(p.src[p.pos:])
		if r == '.' || !isValueRune(r) {
			break
		}
		p.pos += n
	}
	if p.pos == start {
		return Token{}, fatal(p.rest().errorf("%s", complaint))
	}
	return Token{Value: p.src[start:p.pos], span: p.at(start, p.pos)}, nil
}

// editDistance counts insertions, deletions, replacements and swaps.
func editDistance(a, b string) int {
	if len(b) > 64 {
		return 64
	}
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			d := min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d = min(d, rows[i-2][j-2]+1)
			}
			rows[i][j] = d
		}
	}
	return rows[len(a)][len(b)]
}
