package filter

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// value reads a name or value with the space around it.
func (p *parser) value() (Token, *failure) {
	for p.pos < len(p.src) {
		r, n := utf8.DecodeRuneInString(p.src[p.pos:])
		if !unicode.IsSpace(r) {
			break
		}
		p.pos += n
	}
	if f := p.misusedGeo(); f != nil {
		return Token{}, f
	}
	start := p.pos
	var raw Token
	if start < len(p.src) && (p.src[start] == '\'' || p.src[start] == '"') {
		var f *failure
		if raw, f = p.quoted(p.src[start]); f != nil {
			return Token{}, f
		}
	} else {
		word := p.word()
		if word == "" || isKeyword(word) {
			p.pos = start
			return Token{}, &failure{err: p.badWord().expectedValue(word != ""), keyword: word != ""}
		}
		raw = Token{Value: word, span: p.at(start, p.pos)}
	}
	p.space()
	return p.unescape(raw)
}

// badWord is the text up to the next piece of syntax, for messages.
func (p *parser) badWord() span {
	end := p.pos
	for end < len(p.src) {
		r, n := utf8.DecodeRuneInString(p.src[end:])
		if isSyntaxRune(r) {
			break
		}
		end += n
	}
	return p.at(p.pos, end)
}

func (p *parser) quoted(q byte) (Token, *failure) {
	start := p.pos
	inner := start + 1
	escaped := false
	for i := inner; i < len(p.src); i++ {
		switch p.src[i] {
		case q:
			t := Token{Value: p.src[inner:i], span: p.at(inner, i)}
			if escaped {
				t.Value = strings.ReplaceAll(t.Value, `\`+string(q), string(q))
			}
			p.pos = i + 1
			return t, nil
		case '\\':
			if i++; i >= len(p.src) {
				rest := p.at(inner, len(p.src))
				return Token{}, fatal(rest.errorf("Malformed value: `%s`.", escapeDebug(rest.text())))
			}
			escaped = escaped || p.src[i] == q
		}
	}
	return Token{}, fatal(p.at(start, len(p.src)).missingDelimiter(q))
}

// unescape resolves the escapes that are left in a token.
func (p *parser) unescape(t Token) (Token, *failure) {
	if !strings.Contains(t.Value, `\`) {
		return t, nil
	}
	var b strings.Builder
	for s := t.Value; s != ""; {
		i := strings.IndexByte(s, '\\')
		if i < 0 {
			b.WriteString(s)
			break
		}
		b.WriteString(s[:i])
		n, f := p.escape(&b, s[i+1:], t)
		if f != nil {
			return Token{}, f
		}
		s = s[i+1+n:]
	}
	t.Value = b.String()
	return t, nil
}

var simpleEscapes = map[byte]byte{'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t', '\'': '\'', '"': '"', '\\': '\\'}

// escape writes what the escape at the start of s (behind the backslash)
// stands for and returns its length.
func (p *parser) escape(b *strings.Builder, s string, t Token) (int, *failure) {
	incomplete := fatal(p.at(0, len(p.src)).errorf("The filter is incomplete and requires Unknown additional bytes to be parsed."))
	if s == "" {
		return 0, incomplete
	}
	if c, ok := simpleEscapes[s[0]]; ok {
		b.WriteByte(c)
		return 1, nil
	}
	digits, base, length := "", 16, 0
	switch {
	case s[0] == 'u' && strings.HasPrefix(s[1:], "{"):
		end := strings.IndexByte(s, '}')
		if end < 0 {
			return 0, incomplete
		}
		digits, length = s[2:end], end+1
	case s[0] == 'u':
		if len(s) < 5 {
			return 0, incomplete
		}
		digits, length = s[1:5], 5
	case s[0] == 'x':
		if len(s) < 3 {
			return 0, incomplete
		}
		digits, length = s[1:3], 3
	case s[0] >= '0' && s[0] <= '7':
		base = 8
		for length < len(s) && length < 3 && s[length] >= '0' && s[length] <= '7' {
			length++
		}
		digits = s[:length]
	default:
		return 0, &failure{err: t.Errorf("Malformed value: `%s`.", escapeDebug(t.span.text()))}
	}
	code, err := strconv.ParseUint(digits, base, 32)
	if err != nil {
		return 0, &failure{err: t.Errorf("Found an invalid escaped sequence number: `%s`.", escapeDebug(t.span.text()))}
	}
	if !utf8.ValidRune(rune(code)) {
		return 0, &failure{err: t.Errorf("Malformed value: `%s`.", escapeDebug(t.span.text()))}
	}
	b.WriteRune(rune(code))
	return length, nil
}

// misusedGeo refuses geo expressions where a name or value should be.
func (p *parser) misusedGeo() *failure {
	if p.pos >= len(p.src) || p.src[p.pos] != '_' || !strings.HasPrefix(p.src[p.pos:], "_geo") {
		return nil
	}
	rest := p.rest()
	start := p.pos
	word := p.word()
	p.pos = start
	switch {
	case strings.HasPrefix(rest.text(), "_geoPoint"):
		return fatal(rest.reservedGeo("_geoPoint"))
	case strings.HasPrefix(rest.text(), "_geoDistance"):
		return fatal(rest.reservedGeo("_geoDistance"))
	case word == "_geo":
		return fatal(rest.reservedGeo("_geo"))
	case word == "_geoRadius":
		return fatal(rest.errorf("The `_geoRadius` filter is an operation and can't be used as a value."))
	case word == "_geoBoundingBox":
		return fatal(rest.errorf("The `_geoBoundingBox` filter is an operation and can't be used as a value."))
	}
	return nil
}
