// What the page says of its own.
import { speaking } from "./language.js";

export const { word, say } = speaking({
  private: ["They are computed in this page and sent nowhere.", "계산은 이 페이지 안에서 이루어지며, 이미지는 어디로도 전송되지 않습니다."],
  about: ["A convolutional network of {parameters} parameters, {classes} classes, for pictures of {height} x {width} {colours}.", "매개변수 {parameters}개, 클래스 {classes}개의 합성곱 신경망입니다. 입력은 {height} x {width} {colours} 이미지입니다."],
  grey: ["in grey", "흑백"],
  coloured: ["in colour", "컬러"],
  starting: ["starting …", "준비하고 있습니다 …"],
  draw: ["Draw here", "여기에 그려 보십시오"],
  drawn: ["drawing", "그림"],
  clear: ["Clear", "지우기"],
  keep: ["Keep", "남겨 두기"],
  invert: ["Swap black and white", "흑백 반전"],
  unreadable: ["{name}: no picture that this browser can read", "{name}: 이 브라우저에서 읽을 수 없는 이미지입니다."],
  impossible: ["This browser cannot run the network: {reason}", "이 브라우저에서는 신경망을 실행할 수 없습니다: {reason}"],
  this: ["This is", "이 이미지의 클래스"],
  add: ["Add as example", "예로 추가"],
  learning: ["Go on learning", "이어서 학습하기"],
  none: ["Draw or drop pictures, say what each is, and let the network learn from them.", "이미지를 그리거나 끌어 놓고 클래스를 정해 주면, 신경망이 그 이미지로 학습합니다."],
  learn: ["Learn from the examples ({count})", "예 {count}개로 학습"],
  forget: ["Forget what was learned here", "여기서 학습한 내용 되돌리기"],
  learned: ["step {step}: loss {loss}, {right} of {count} right", "{step}스텝: 손실 {loss}, {count}개 중 {right}개 정답"],
  diverged: ["The loss is no number any more; forget what was learned here.", "손실이 유한한 수가 아닙니다. 학습한 내용을 되돌리십시오."],
});
