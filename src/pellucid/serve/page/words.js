// What the pages say of their own, and the token that requests carry.
import { korean, speaking } from "./language.js";

const OWN = {
  private: ["They go to this server and nowhere else.", "이미지는 이 서버로만 전송됩니다."],
  docs: ["For programs", "프로그램에서 쓰기"],
  home: ["Try it", "직접 해 보기"],
  ask: ["How a program asks", "프로그램에서 요청하는 방법"],
  classes: ["{count} classes", "클래스 {count}개"],
  waiting: ["computing …", "계산하고 있습니다 …"],
  403: ["", "토큰이 없거나 맞지 않습니다."],
  413: ["", "이미지가 너무 큽니다. 더 작게 만들어 보내십시오."],
  422: ["", "읽을 수 있는 이미지가 아닙니다."],
  503: ["", "기다리는 이미지가 너무 많습니다. 잠시 후 다시 시도하십시오."],
  unreachable: ["The server does not answer; is it still running?", "서버가 응답하지 않습니다. 실행 중인지 확인하십시오."],
};

export const { word, say } = speaking(OWN);
export const token = new URLSearchParams(location.search).get("token");

// A problem that the server tells in English, in the page's language where it has words for that status.
export function told(status, problem) {
  return (korean && OWN[status]?.[1]) || problem;
}

// Of a request: the token that this page's address has.
export const headers = token ? { Authorization: `Bearer ${token}` } : {};
