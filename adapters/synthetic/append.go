package synthetic

// appendInt writes n in decimals.
func appendInt(b []byte, n uint64) []byte {
	var digits [20]byte
	i := len(digits)
	for n >= 10 {
		i--
		q := n / 10
		digits[i] = byte('0' + n - q*10)
		n = q
	}
	i--
	digits[i] = byte('0' + n)
	return append(b, digits[i:]...)
}

// appendPadded writes the last width digits of n, with leading zeros.
func appendPadded(b []byte, n uint64, width int) []byte {
	for range width {
		b = append(b, '0')
	}
	for i := len(b) - 1; width > 0; i, width = i-1, width-1 {
		q := n / 10
		b[i] = byte('0' + n - q*10)
		n = q
	}
	return b
}

// appendMoney writes an amount in cents as a decimal number of dollars.
func appendMoney(b []byte, cents uint32) []byte {
	b = appendInt(b, uint64(cents/100))
	c := cents % 100
	return append(b, '.', byte('0'+c/10), byte('0'+c%10))
}

// appendTime writes a day and the milliseconds in it, without the zone.
func appendTime(b []byte, day int, millis uint32, withMillis bool) []byte {
	b = append(b, calendar.text[day]...)
	s := millis / 1000
	b = append(b, 'T', byte('0'+s/36000), byte('0'+s/3600%10), ':', byte('0'+s/600%6), byte('0'+s/60%10), ':', byte('0'+s/10%6), byte('0'+s%10))
	if withMillis {
		b = append(b, '.')
		b = appendPadded(b, uint64(millis%1000), 3)
	}
	return append(b, "+00:00"...)
}
