package eob

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// maxDepth bounds how deep arrays and objects may be nested, kept or dropped.
const maxDepth = 128

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// unusual marks the bytes of x that end or complicate a string: a quote, a
// backslash, a control character or a byte that is not ASCII. The lowest mark
// is exact; those above it may be false.
func unusual(x uint64) uint64 {
	q, b := x^ones*'"', x^ones*'\\'
	return ((q-ones)&^q | (b-ones)&^b | (x-ones*0x20)&^x | x) & highs
}

// quotes marks the quotes of x, the lowest exactly.
func quotes(x uint64) uint64 {
	q := x ^ ones*'"'
	return (q - ones) &^ q & highs
}

// endOfText validates the string whose first byte after the quote is raw[i] and
// returns where its closing quote is, and whether it is free of escapes. The
// end is -1 for what is no legal JSON string.
func endOfText(raw []byte, i int) (end int, plainText bool) {
	for i+8 <= len(raw) {
		if m := unusual(binary.LittleEndian.Uint64(raw[i:])); m != 0 {
			if i += bits.TrailingZeros64(m) / 8; raw[i] == '"' {
				return i, true
			}
			return endOfUnusualText(raw, i)
		}
		i += 8
	}
	return endOfUnusualText(raw, i)
}

func endOfUnusualText(raw []byte, i int) (end int, plainText bool) {
	plainText = true
	for i < len(raw) {
		switch c := raw[i]; {
		case c == '"':
			return i, plainText
		case c == '\\':
			n := escapeLength(raw, i)
			if n == 0 {
				return -1, false
			}
			i, plainText = i+n, false
		case c < 0x20:
			return -1, false
		case c < utf8.RuneSelf:
			i++
		default:
			r, n := utf8.DecodeRune(raw[i:])
			if r == utf8.RuneError && n == 1 {
				return -1, false
			}
			i += n
		}
	}
	return -1, false
}

// escapeLength returns how long the escape at raw[i] is, 0 when it is not
// legal. The two halves of a surrogate pair are one escape, and neither is
// legal alone.
func escapeLength(raw []byte, i int) int {
	if i+1 >= len(raw) {
		return 0
	}
	switch raw[i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		switch unit := hex4(raw, i+2); {
		case unit < 0, unit >= 0xDC00 && unit < 0xE000:
			return 0
		case unit < 0xD800 || unit >= 0xE000:
			return 6
		}
		if i+7 >= len(raw) || raw[i+6] != '\\' || raw[i+7] != 'u' {
			return 0
		}
		if low := hex4(raw, i+8); low >= 0xDC00 && low < 0xE000 {
			return 12
		}
	}
	return 0
}

// hex4 returns the value of the four hexadecimal digits at raw[i], or -1.
func hex4(raw []byte, i int) int {
	if i+4 > len(raw) {
		return -1
	}
	v := 0
	for _, c := range raw[i : i+4] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return -1
		}
		v = v<<4 | int(c)
	}
	return v
}

// endOfBare returns where the number, true, false or null at raw[i] ends, or -1
// when there is none by the JSON grammar. What follows is for the caller to judge.
func endOfBare(raw []byte, i int) int {
	switch raw[i] {
	case 't':
		return endOfWord(raw, i, "true")
	case 'f':
		return endOfWord(raw, i, "false")
	case 'n':
		return endOfWord(raw, i, "null")
	}
	return endOfNumber(raw, i)
}

func endOfWord(raw []byte, i int, word string) int {
	if len(raw)-i < len(word) || string(raw[i:i+len(word)]) != word {
		return -1
	}
	return i + len(word)
}

func endOfNumber(raw []byte, i int) int {
	if i < len(raw) && raw[i] == '-' {
		i++
	}
	if i < len(raw) && raw[i] == '0' {
		i++
	} else if i = endOfDigits(raw, i); i < 0 {
		return -1
	}
	if i < len(raw) && raw[i] == '.' {
		if i = endOfDigits(raw, i+1); i < 0 {
			return -1
		}
	}
	if i < len(raw) && (raw[i] == 'e' || raw[i] == 'E') {
		if i++; i < len(raw) && (raw[i] == '+' || raw[i] == '-') {
			i++
		}
		return endOfDigits(raw, i)
	}
	return i
}

// endOfDigits returns where one or more digits end, or -1 for none.
func endOfDigits(raw []byte, i int) int {
	start := i
	for i < len(raw) && raw[i]-'0' <= 9 {
		i++
	}
	if i == start {
		return -1
	}
	return i
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

// afterSpace returns the first index from i on that is not white space.
func afterSpace(raw []byte, i int) int {
	for i < len(raw) && isSpace(raw[i]) {
		i++
	}
	return i
}

// What a byte means to the loop that drops a value.
const (
	other = iota
	quote
	open
	shut
)

var meaning = [256]uint8{'"': quote, '{': open, '[': open, '}': shut, ']': shut}

// separates tells the bytes at which a dropped number or word ends.
var separates = [256]bool{
	',': true, ':': true, '"': true, '{': true, '[': true, '}': true, ']': true,
	' ': true, '\n': true, '\t': true, '\r': true,
}

// endOfDropped returns where the value at raw[i] ends that is not kept, or -1.
// It is only seen to be balanced: strings end, brackets match, nothing is nested
// deeper than maxDepth. depth counts the arrays and objects around it. Of what
// it skips it heeds the strings that may be listed codes.
func (s *scanner) endOfDropped(i, depth int) int {
	raw := s.raw
	if i >= len(raw) {
		return -1
	}
	switch meaning[raw[i]] {
	case quote:
		return s.endOfDroppedText(i + 1)
	case open:
		return s.endOfNest(i+1, depth+1, raw[i])
	}
	start := i
	for i < len(raw) && !separates[raw[i]] {
		i++
	}
	if i == start {
		return -1
	}
	return i
}

// endOfNest returns where the array or object ends that opener began before
// raw[i], as the depth'th of its line. Most strings in it are short, names above
// all, so that those of less than sixteen bytes are seen to in the loop.
func (s *scanner) endOfNest(i, depth int, opener byte) int {
	if depth > maxDepth {
		return -1
	}
	raw := s.raw
	bottom := depth - 1
	lo, hi := kindOf(opener), uint64(0) // one bit for each open bracket, the innermost lowest
	for i < len(raw) {
		c := raw[i]
		i++
		switch meaning[c] {
		case quote:
			short, first := 0, uint64(0)
			if i+17 <= len(raw) {
				first = binary.LittleEndian.Uint64(raw[i:])
				if m := quotes(first); m != 0 {
					short = bits.TrailingZeros64(m) / 8
				} else if m := quotes(binary.LittleEndian.Uint64(raw[i+8:])); m != 0 {
					short = 8 + bits.TrailingZeros64(m)/8
				} else {
					s.heedEscapes(first)
					if i = endOfLongText(raw, i, i+16); i < 0 {
						return -1
					}
					continue
				}
			}
			switch {
			case short == 0 || raw[i+short-1] == '\\':
				if i = s.endOfDroppedText(i); i < 0 {
					return -1
				}
				continue
			case raw[i+short+1] == ':': // a name, which is no code
				i += short + 2
				continue
			case short >= longestCode:
				s.heedEscapes(first)
			case secondOfCode[byte(first>>8)]:
				s.compare(i, i+short)
			}
			i += short + 1
		case open:
			if depth++; depth > maxDepth {
				return -1
			}
			hi, lo = hi<<1|lo>>63, lo<<1|kindOf(c)
		case shut:
			if lo&1 != kindOf(c) {
				return -1
			}
			if depth--; depth == bottom {
				return i
			}
			lo, hi = lo>>1|hi<<63, hi>>1
		}
	}
	return -1
}

// kindOf is 1 for braces and 0 for brackets: '{' is 0x7B, '}' 0x7D, '[' 0x5B and ']' 0x5D.
func kindOf(c byte) uint64 { return uint64(c >> 5 & 1) }

// endOfDroppedText returns where the string ends, after its quote, whose first
// byte is raw[i], or -1 when it does not.
func (s *scanner) endOfDroppedText(i int) int {
	raw, first := s.raw, i
	if i+8 <= len(raw) {
		x := binary.LittleEndian.Uint64(raw[i:])
		if m := quotes(x); m != 0 {
			if i += bits.TrailingZeros64(m) / 8; raw[i-1] != '\\' {
				s.heed(first, i)
				return i + 1
			}
			s.heedEscapes(x)
			return endOfEscapedText(raw, first, i)
		}
		s.heedEscapes(x)
		if i += 8; i+8 <= len(raw) {
			if m := quotes(binary.LittleEndian.Uint64(raw[i:])); m != 0 {
				if i += bits.TrailingZeros64(m) / 8; raw[i-1] != '\\' {
					return i + 1
				}
				return endOfEscapedText(raw, first, i)
			}
			i += 8
		}
	} else {
		s.heedEnd(i)
	}
	return endOfLongText(raw, first, i)
}

// endOfLongText is endOfDroppedText from raw[i] on, where the string began at
// first and has no quote between.
func endOfLongText(raw []byte, first, i int) int {
	n := bytes.IndexByte(raw[i:], '"')
	if n < 0 {
		return -1
	}
	if i += n; raw[i-1] != '\\' {
		return i + 1
	}
	return endOfEscapedText(raw, first, i)
}

// endOfEscapedText goes on from a quote at raw[i] with a backslash before it.
func endOfEscapedText(raw []byte, first, i int) int {
	for {
		backslashes := 0
		for i-1-backslashes >= first && raw[i-1-backslashes] == '\\' {
			backslashes++
		}
		if backslashes%2 == 0 {
			return i + 1
		}
		n := bytes.IndexByte(raw[i+1:], '"')
		if n < 0 {
			return -1
		}
		i += 1 + n
	}
}
