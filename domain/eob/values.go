package eob

import (
	"bytes"
	"time"

	"cms.gov/ab2d/domain"
)

// parseDay reads a FHIR dateTime whose day is known and returns the day as
// written. What follows the day must be a time of day with its offset.
func parseDay(text []byte) (domain.Date, bool) {
	day, err := domain.ParseDate(text)
	if err != nil {
		return 0, false
	}
	if len(text) > 10 {
		if _, ok := parseInstant(text); !ok {
			return 0, false
		}
	}
	return day, true
}

// parseInstant reads a FHIR instant, YYYY-MM-DDThh:mm:ss.sss+zz:zz, in which
// the fraction is optional and Z may stand for the offset. The result is in UTC, so that it
// does not depend on the machine's time zone.
func parseInstant(text []byte) (time.Time, bool) {
	if len(text) < len("2006-01-02T15:04:05Z") || text[10] != 'T' || text[13] != ':' || text[16] != ':' {
		return time.Time{}, false
	}
	day, err := domain.ParseDate(text)
	hour, minute, second := twoDigits(text[11:]), twoDigits(text[14:]), twoDigits(text[17:])
	nanos, zone, ok := parseFraction(text[19:])
	if err != nil || !ok || hour > 23 || minute > 59 || second > 60 {
		return time.Time{}, false
	}
	offset, ok := parseOffset(zone)
	month := time.Month(int(day) / 100 % 100)
	at := time.Date(day.Year(), month, day.Day(), hour, minute, second, nanos, time.UTC)
	return at.Add(-offset), ok
}

// twoDigits returns the number that b begins with, or one too large for any
// part of a time when it does not.
func twoDigits(b []byte) int {
	if b[0]-'0' > 9 || b[1]-'0' > 9 {
		return 100
	}
	return int(b[0]-'0')*10 + int(b[1]-'0')
}

// parseFraction returns the nanoseconds that b begins with and what follows
// them. Digits beyond the nanosecond are read over.
func parseFraction(b []byte) (nanos int, rest []byte, ok bool) {
	if b[0] != '.' {
		return 0, b, true
	}
	end := endOfDigits(b, 1)
	if end < 0 {
		return 0, nil, false
	}
	for i := 1; i <= 9; i++ {
		nanos *= 10
		if i < end {
			nanos += int(b[i] - '0')
		}
	}
	return nanos, b[end:], true
}

func parseOffset(b []byte) (time.Duration, bool) {
	if len(b) == 1 && b[0] == 'Z' {
		return 0, true
	}
	if len(b) != 6 || b[3] != ':' || b[0] != '+' && b[0] != '-' {
		return 0, false
	}
	hours, minutes := twoDigits(b[1:]), twoDigits(b[4:])
	if hours > 14 || minutes > 59 {
		return 0, false
	}
	offset := time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute
	if b[0] == '-' {
		offset = -offset
	}
	return offset, true
}

// isTypeSystemText reports whether a coding's system is the source's kind of
// claim, https://bluebutton.cms.gov/resources/codesystem/eob-type (section 4.6
// of the facts about AB2D goes by the end of it, so that both versions fit).
func isTypeSystemText(system []byte) bool { return bytes.HasSuffix(system, []byte("eob-type")) }

// typeOf returns the type of a code, UnknownType for one that is not known.
func typeOf(code []byte) ClaimType {
	for t := Carrier; t <= PartD; t++ {
		if t.String() == string(code) {
			return t
		}
	}
	return UnknownType
}

// patientID returns the id in a reference to a Patient, relative or absolute,
// of any version of it; nil when it does not refer to a Patient.
func patientID(reference []byte) []byte {
	const kind = "Patient/"
	at := bytes.LastIndex(reference, []byte(kind))
	if at < 0 || at > 0 && reference[at-1] != '/' {
		return nil
	}
	id := reference[at+len(kind):]
	if end := bytes.IndexByte(id, '/'); end >= 0 {
		id = id[:end]
	}
	return id
}

// isRestricted reports whether a security label is one of 42 CFR Part 2: the
// law itself, or data about the use of substances, which it protects.
func isRestricted(code []byte) bool {
	const law = "42CFRPart2"
	if len(code) >= len(law) && bytes.EqualFold(code[:len(law)], []byte(law)) {
		return true
	}
	switch string(code) {
	case "ETH", "ETHUD", "SUD", "OPIOIDUD":
		return true
	}
	return false
}
