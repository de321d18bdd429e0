package rawjson

// SkipValue returns the index behind the value that starts at or after i. Lax: only strings and the balance of brackets
// are followed, so "[1}" passes. The error is ErrStructure.
func SkipValue(data []byte, i int) (end int, err error) {
	i = SkipSpace(data, i)
	if uint(i) >= uint(len(data)) {
		return 0, ErrStructure
	}
	switch data[i] {
	case '"':
		i = SkipString(data, i)
	case '{', '[':
		i = skipContainer(data, i)
	case ',', ':', '}', ']':
		i = -1
	default:
		i = skipScalar(data, i)
	}
	if i < 0 {
		return 0, ErrStructure
	}
	return i, nil
}

// skipScalar runs over a number or word: everything up to white space or a structural byte.
func skipScalar(data []byte, i int) int {
	for uint(i) < uint(len(data)) {
		switch data[i] {
		case ',', '}', ']', ' ', '\n', '\r', '\t', ':', '"', '{', '[':
			return i
		}
		i++
	}
	return i
}

// skipContainer runs from an opening bracket to behind the one that closes it; -1 if none does.
func skipContainer(data []byte, i int) int {
	depth := 0
	for uint(i) < uint(len(data)) {
		switch data[i] {
		case '"':
			if i = SkipString(data, i); i < 0 {
				return -1
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
		i++
	}
	return -1
}
