# bash completion for cvtpm(1). What can be completed is asked of the program
# itself, so that it is never behind.

# The commands, or the options of one, from --help.
_cvtpm_commands()
{
	"$1" --help 2>/dev/null | sed -n 's/^  \([a-z][a-z-]*\)  .*/\1/p'
}

_cvtpm_options()
{
	"$@" --help 2>/dev/null | sed -n '/^Example/q; /^  *-/{
		s/^ *\(-[a-zA-Z?]\), /\1 /
		s/^ *//
		/^-[a-zA-Z?] --/!s/^\(-[a-zA-Z?]\) .*/\1/
		s/\(--[a-z][a-z0-9-]*\)\(\[*=[^ ]*\)*.*/\1/
		p
	}' | tr ' ' '\n'
}

# Words that an option takes: cvtpm_words COMMAND OPTION
_cvtpm_words()
{
	case $2 in
	--startup) echo 'clear state none' ;;
	--localities) echo '0 0-3' ;;
	--class) echo 'client server' ;;
	--ppi) [ "$1" = acpi ] || echo 'block confirm allow' ;;
	--platform-auth) echo random ;;
	--ek) echo 'rsa2048 p256 p384 rsa3072' ;;
	--pcr-banks) echo 'sha1 sha256 sha384 sha512' ;;
	--key-type) echo 'p384 p256' ;;
	--vmpl | --locality | -l) echo '0 1 2 3' ;;
	--start-method | -m) echo '7 8' ;;
	--cipher) echo 'aes-128-cbc aes-256-cbc' ;;
	--rsa-keysize) echo '2048 3072 max' ;;
	--save | --load) echo 'permanent volatile savestate' ;;
	--engine) "${3:-cvtpm}" --version 2>/dev/null | sed -n 's/^engine \([a-z]*\):.*/\1/p' ;;
	esac
}

_cvtpm()
{
	local program=${COMP_WORDS[0]} word=${COMP_WORDS[COMP_CWORD]} before= words command
	COMPREPLY=()
	command=("${COMP_WORDS[1]}")

	if [ "$COMP_CWORD" -eq 1 ]; then
		COMPREPLY=($(compgen -W "$(_cvtpm_commands "$program") --help --version" -- "$word"))
		return
	fi
	if [ "${COMP_WORDS[1]}" = swtpm ]; then # each part of it has options of its own
		if [ "$COMP_CWORD" -eq 2 ]; then
			COMPREPLY=($(compgen -W 'socket chardev setup ioctl' -- "$word"))
			return
		fi
		command+=("${COMP_WORDS[2]}")
	fi
	# "--option=word" comes as three words, "--option" "=" "word".
	before=${COMP_WORDS[COMP_CWORD - 1]}
	if [ "$word" = = ]; then
		word=
	elif [ "$before" = = ]; then
		before=${COMP_WORDS[COMP_CWORD - 2]}
	fi
	words=$(_cvtpm_words "${COMP_WORDS[1]}" "$before" "$program")
	if [ -n "$words" ]; then
		COMPREPLY=($(compgen -W "$words" -- "$word"))
	elif [[ $word == -* ]]; then
		COMPREPLY=($(compgen -W "$(_cvtpm_options "$program" "${command[@]}")" -- "$word"))
	else
		[ "${COMP_WORDS[1]}" = ca ] && COMPREPLY=($(compgen -W 'init show' -- "$word"))
		COMPREPLY+=($(compgen -f -- "$word"))
		compopt -o filenames 2>/dev/null
	fi
}

complete -F _cvtpm cvtpm
