package actors

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/topology"
)

// The function of an edit is a Rhai script that changes `doc`. It must neither see
// nor lose the fields of ours in there, so nodes are sent a text around it: what
// stands before takes them out, what stands behind puts them back. A script that
// may return early becomes the body of a closure, with its functions outside of it,
// because only there Rhai allows them. Lines of the script stay lines of their own,
// so that positions in error texts can be turned back (unwrapError).
//
// A try runs the same script and undoes its changes, unless they are such that the
// node refuses them: its task fails where the edit would fail, and does nothing.

// editScript is a client's script, cut for wrapping.
type editScript struct {
	text string
	// statements is the text with its functions blanked, functions the reverse; both
	// are set only for a script that has to be wrapped in a closure.
	statements, functions string
}

// namesUsed are the functions that the text around a script calls or makes.
var namesUsed = []string{"exit", "keys", "remove", "starts_with", "to_string", "type_of", "len"}

// newEditScript reads a script that a node has found to be well-formed.
func newEditScript(text string) (*editScript, *api.Error) {
	if strings.Contains(text, topology.ReservedPrefix) {
		return nil, reservedField("function")
	}
	l := rhaiLexer{text: text}
	var functions [][2]int
	returns, from, depth, began := false, -1, 0, false
	previous := ""
	for {
		token, at := l.next()
		if token == "" {
			break
		}
		switch {
		case from < 0 && depth == 0 && token == "fn":
			from, began = at, false
			if previous == "private" {
				from = strings.LastIndex(text[:at], "private")
			}
		case previous == "fn":
			for _, name := range namesUsed {
				if token == name {
					return nil, api.Errorf(api.CodeNotSupported, "Miroir cannot run a function of the name `%s`: give it another one.", name)
				}
			}
		case token == "eval": // of a text made while it runs, which could name what is ours
			return nil, api.NewError(api.CodeNotSupported, "Miroir cannot run a function that calls `eval`: write out what it shall do.")
		case token == "return" && from < 0:
			returns = true
		case token == "{":
			depth++
			began = true
		case token == "}":
			if depth--; from >= 0 && began && depth == 0 {
				functions = append(functions, [2]int{from, at + 1})
				from = -1
			}
		}
		previous = token
	}
	s := &editScript{text: text + l.closing}
	if !returns {
		return s, nil
	}
	s.statements, s.functions = s.text, blanked(s.text)
	for _, f := range functions {
		s.statements = s.statements[:f[0]] + blanked(text[f[0]:f[1]]) + s.statements[f[1]:]
		s.functions = s.functions[:f[0]] + text[f[0]:f[1]] + s.functions[f[1]:]
	}
	return s, nil
}

// blanked leaves the line ends of a text only, at their places.
func blanked(text string) string {
	b := []byte(text)
	for i, c := range b {
		if c != '\n' {
			b[i] = ' '
		}
	}
	return string(b)
}

// exitRefused replaces a built-in function that would end the script before our
// fields are back.
const exitRefused = `fn exit(){throw "exit is not supported behind Miroir, return instead"}fn exit(_miroir_v){exit()}`

// wrap is the text that nodes are sent.
func (s *editScript) wrap(try bool, pk string, geo bool) string {
	var b strings.Builder
	b.WriteString(exitRefused)
	b.WriteString(`let _miroir_o=doc;let _miroir_s=doc.remove("` + topology.ShardField + `");let _miroir_q=doc.remove("` + topology.SeqField + `");`)
	if s.statements != "" {
		b.WriteString("let _miroir_f=||{")
	}
	b.WriteByte('\n')
	if s.statements == "" {
		b.WriteString(s.text)
		b.WriteString("\n;")
	} else {
		b.WriteString(s.statements)
		b.WriteString("\n};_miroir_f.call();")
	}
	back := `for _miroir_k in doc.keys(){if _miroir_k.starts_with("` + topology.ReservedPrefix + `"){doc.remove(_miroir_k);}}` +
		`if type_of(_miroir_s)!="()"{doc["` + topology.ShardField + `"]=_miroir_s;}if type_of(_miroir_q)!="()"{doc["` + topology.SeqField + `"]=_miroir_q;}`
	if try {
		b.WriteString(`if type_of(doc)=="()"{doc=_miroir_o;}else if type_of(doc)=="map"{let _miroir_g=true;` + keepsKey(pk) + keepsPlace(geo) +
			`if _miroir_g{doc=_miroir_o;}}`) // else the node refuses it, and shows what it refuses
	} else {
		b.WriteString(`if type_of(doc)=="map"{` + back + `}`)
	}
	if s.statements != "" {
		b.WriteByte('\n')
		b.WriteString(s.functions)
	}
	return b.String()
}

// keepsKey unsets _miroir_g where a node surely finds that the primary key is
// another one, or none.
func keepsKey(pk string) string {
	var b strings.Builder
	for _, path := range splits(pk) {
		b.WriteString("{let a=_miroir_o;let b=doc;")
		for _, name := range path {
			fmt.Fprintf(&b, `if type_of(a)=="map"{a=a[%[1]s];}else{a=();}if type_of(b)=="map"{b=b[%[1]s];}else{b=();}`, rhaiString(name))
		}
		b.WriteString(`let t=type_of(b);if t!=type_of(a)||t!="()"{if (t!="string"&&t!="i64"&&t!="char")||a.to_string()!=b.to_string(){_miroir_g=false;}}}`)
	}
	return b.String()
}

// keepsPlace unsets _miroir_g where a node surely refuses the document's place.
func keepsPlace(geo bool) string {
	if !geo {
		return ""
	}
	return `{let g=doc["_geo"];let t=type_of(g);if t=="map"{for n in ["lat","lng"]{let u=type_of(g[n]);if u!="i64"&&u!="f64"&&u!="string"{_miroir_g=false;}}` +
		`if g.len()!=2{_miroir_g=false;}}else if t!="()"{_miroir_g=false;}}`
}

// splits lists the ways in which a primary key may lie in a document: a.b is a
// field of that name, or b in a.
func splits(pk string) [][]string {
	if pk == "" {
		return nil
	}
	out := [][]string{{pk}}
	for i := 1; i < len(pk); i++ {
		if pk[i] != '.' {
			continue
		}
		for _, rest := range splits(pk[i+1:]) {
			out = append(out, append([]string{pk[:i]}, rest...))
		}
	}
	return out
}

// rhaiString quotes a text.
func rhaiString(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		if r == '"' || r == '\\' || r < ' ' || r == utf8.RuneError {
			fmt.Fprintf(&b, `\u%04X`, r)
			continue
		}
		b.WriteRune(r)
	}
	b.WriteByte('"')
	return b.String()
}

var (
	position    = regexp.MustCompile(`\(line (\d+), position (\d+)\)`)
	closureCall = regexp.MustCompile(`\\nin closure call \(line (\d+), position \d+\)`)
	// ours are our fields in a document inside a text, with the commas around them.
	ours = regexp.MustCompile(`,?(?:\\"` + topology.ReservedPrefix + `[a-z]+\\":\\"[^"\\]*\\",?)+`)
)

// unwrapError turns the error object of a node into one about the client's script:
// positions are those in there, and nothing of ours is shown.
func (s *editScript) unwrapError(text []byte) []byte {
	lines := 1 + strings.Count(s.text, "\n")
	text = closureCall.ReplaceAllFunc(text, func(found []byte) []byte {
		if m := closureCall.FindSubmatch(found); string(m[1]) == strconv.Itoa(lines+2) {
			return nil // our call of the closure
		}
		return found
	})
	text = ours.ReplaceAllFunc(text, func(found []byte) []byte {
		if found[0] == ',' && found[len(found)-1] == ',' {
			return []byte{','}
		}
		return nil
	})
	return position.ReplaceAllFunc(text, func(found []byte) []byte {
		m := position.FindSubmatch(found)
		line, err := strconv.Atoi(string(m[1]))
		switch {
		case err != nil:
		case line >= 2 && line <= lines+1:
			line--
		case line >= lines+3 && s.statements != "":
			line -= lines + 2
		}
		return fmt.Appendf(nil, "(line %d, position %s)", line, m[2])
	})
}

// rhaiLexer finds words and braces in a script, outside of texts and comments.
type rhaiLexer struct {
	text string
	i    int
	// closing ends a comment that the script leaves open.
	closing string
	// levels counts the braces that are open in each interpolation around.
	levels []int
}

// next returns a word or a brace and where it stands; empty at the end.
func (l *rhaiLexer) next() (token string, at int) {
	for l.i < len(l.text) {
		at := l.i
		rest := l.text[at:]
		r, size := utf8.DecodeRuneInString(rest)
		l.i += size
		switch {
		case strings.HasPrefix(rest, "//"):
			if n := strings.IndexByte(rest, '\n'); n >= 0 {
				l.i = at + n
			} else {
				l.i = len(l.text)
			}
		case strings.HasPrefix(rest, "/*"):
			l.comment(at)
		case r == '"':
			l.quoted('"')
		case r == '\'':
			l.quoted('\'')
		case r == '#' && rawText.MatchString(rest):
			fence := rawText.FindString(rest)
			end := `"` + fence[:len(fence)-1]
			if n := strings.Index(rest[len(fence):], end); n >= 0 {
				l.i = at + len(fence) + n + len(end)
			} else {
				l.i = len(l.text)
			}
		case r == '`':
			l.template()
		case r == '{':
			if n := len(l.levels); n > 0 {
				l.levels[n-1]++
			}
			return "{", at
		case r == '}':
			if n := len(l.levels); n > 0 {
				if l.levels[n-1]--; l.levels[n-1] < 0 {
					l.levels = l.levels[:n-1] // the interpolation ends, the text around it goes on
					l.template()
					continue
				}
			}
			return "}", at
		case r == '_' || unicode.IsLetter(r):
			for l.i < len(l.text) {
				r, size := utf8.DecodeRuneInString(l.text[l.i:])
				if r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) {
					break
				}
				l.i += size
			}
			return l.text[at:l.i], at
		}
	}
	return "", l.i
}

var rawText = regexp.MustCompile(`^#+"`)

// comment skips a comment, which may hold others.
func (l *rhaiLexer) comment(at int) {
	depth := 0
	for l.i = at; l.i < len(l.text); {
		switch rest := l.text[l.i:]; {
		case strings.HasPrefix(rest, "/*"):
			depth++
			l.i += 2
		case strings.HasPrefix(rest, "*/"):
			l.i += 2
			if depth--; depth == 0 {
				return
			}
		default:
			l.i++
		}
	}
	l.closing = strings.Repeat("*/", depth)
}

func (l *rhaiLexer) quoted(end byte) {
	for l.i < len(l.text) {
		switch l.text[l.i] {
		case '\\':
			l.i++
		case end:
			l.i++
			return
		}
		l.i++
	}
	l.i = min(l.i, len(l.text))
}

// template skips a text between backticks up to its end, or to an expression in it.
func (l *rhaiLexer) template() {
	for l.i < len(l.text) {
		switch rest := l.text[l.i:]; {
		case strings.HasPrefix(rest, "``"):
			l.i += 2
		case rest[0] == '`':
			l.i++
			return
		case strings.HasPrefix(rest, "${"):
			l.i += 2
			l.levels = append(l.levels, 0)
			return
		default:
			l.i++
		}
	}
}
